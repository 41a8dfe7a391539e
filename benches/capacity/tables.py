"""Tables in Markdown, and numbers in them."""

import math


def table(header, rows, align=""):
    marks = "|".join("--:" if mark == "r" else "---" for mark in align.ljust(len(header), "l"))
    lines = ["| " + " | ".join(line) + " |\n" for line in (header, *rows)]
    return f"\n{lines[0]}|{marks}|\n{''.join(lines[1:])}"


def plain(value):
    return f"{value:,.12g}"


def figure(value):
    """Returns a number with two significant digits."""
    if value <= 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    text = f"{round(value, digits):,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if digits > 0 else text


def percent(share):
    return f"{figure(share * 100)} %"


def amount(size):
    """Returns a size in bytes with its unit."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1000:
            return f"{figure(size)} {unit}"
        size /= 1024
    return f"{figure(size)} GiB"


def seconds(value):
    return f"{figure(value)} s" if value >= 1 else f"{figure(value * 1000)} ms"
