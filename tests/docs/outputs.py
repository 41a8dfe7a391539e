"""Compares what commands print with what a guide shows.

`…` stands for any text within a string of JSON or within a line. A line that is `…` stands for any number of lines. In JSON, a string that is `…`
stands for any value, as an element of a list for any number of elements, and `"…": "…"` for further properties.
"""

import json
import re

ANY = "…"


def differences(language, expected, actual):
    """Returns what differs, as a list of sentences: none if the output is as shown."""
    actual = actual.replace("\r\n", "\n")
    if language == "json":
        return of_json(expected, actual)
    if language == "http":
        return of_http(expected, actual)
    return of_lines(expected, actual)


def of_json(expected, actual):
    try:
        shown = json_values(expected)
    except ValueError as error:
        return [f"the guide does not show JSON: {error}"]
    try:
        printed = json_values(actual)
    except ValueError as error:
        return [f"the commands did not print JSON: {error}"]
    if len(shown) == len(printed) == 1:
        return list(of_values("$", shown[0], printed[0]))
    return list(of_lists("$", shown, printed))


def json_values(text):
    """Returns the JSON values of a text: one, or one after another, as jq prints them."""
    decoder, values, text = json.JSONDecoder(), [], text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].lstrip()
    return values


def of_values(place, expected, actual):
    if expected == ANY:
        return
    if isinstance(expected, dict) and isinstance(actual, dict):
        for name in expected.keys() - {ANY}:
            if name in actual:
                yield from of_values(f"{place}.{name}", expected[name], actual[name])
            else:
                yield f"{place}.{name} is missing"
        if ANY not in expected:
            yield from (f"{place}.{name} is not shown" for name in actual.keys() - expected.keys())
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from of_lists(place, expected, actual)
    elif isinstance(expected, str) and isinstance(actual, str):
        if not matches(expected, actual):
            yield f"{place} is {json.dumps(actual, ensure_ascii=False)}, not {json.dumps(expected, ensure_ascii=False)}"
    # In Python, True is 1.
    elif isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        yield f"{place} is {json.dumps(actual, ensure_ascii=False)}, not {json.dumps(expected, ensure_ascii=False)}"


def of_lists(place, expected, actual):
    if expected.count(ANY) > 1:
        yield f'{place} of the guide has "{ANY}" more than once'
        return
    before, after = (expected, []) if ANY not in expected else (expected[: expected.index(ANY)], expected[expected.index(ANY) + 1 :])
    shown = len(before) + len(after)
    if len(actual) < shown or (ANY not in expected and len(actual) > shown):
        yield f"{place} has {len(actual)} values, not {shown}"
        return
    for index, value in enumerate(before):
        yield from of_values(f"{place}[{index}]", value, actual[index])
    for index, value in enumerate(after, len(actual) - len(after)):
        yield from of_values(f"{place}[{index}]", value, actual[index])


def matches(pattern, text):
    """Does a text have the form of a pattern, in which `…` stands for any text of one line?"""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split(ANY)), text) is not None


def of_lines(expected, actual):
    expected, actual = expected.rstrip("\n").split("\n"), actual.rstrip("\n").split("\n")
    # Lines of the output that the lines of the guide so far can end before.
    ends = {0}
    for number, pattern in enumerate(expected, 1):
        if pattern.strip() == ANY:
            ends = set(range(min(ends), len(actual) + 1))
            continue
        reached = {end + 1 for end in ends if end < len(actual) and matches(pattern, actual[end])}
        if not reached:
            printed = actual[min(ends)] if min(ends) < len(actual) else None
            found = "the output has ended" if printed is None else f"the output has {printed!r}"
            return [f"line {number} of the output in the guide is {pattern!r}: {found}"]
        ends = reached
    if len(actual) not in ends:
        return [f"the output has a further line: {actual[max(ends)]!r}"]
    return []


def of_http(expected, actual):
    """Compares a message: its status line, its headers in any order, and its body as JSON or as lines. `…` stands for further headers."""
    (shown_head, shown_body), (printed_head, printed_body) = head_and_body(expected), head_and_body(actual)
    found = [] if matches(shown_head[0], printed_head[0]) else [f"the status line is {printed_head[0]!r}, not {shown_head[0]!r}"]
    further = list(printed_head[1:])
    for header in (header for header in shown_head[1:] if header != ANY):
        same = [printed for printed in further if matches(with_lower_name(header), with_lower_name(printed))]
        if same:
            further.remove(same[0])
        else:
            found.append(f"no header is {header!r}")
    if ANY not in shown_head[1:]:
        found.extend(f"the header {header!r} is not shown" for header in further)
    if shown_body.strip() == ANY:
        return found
    compare = of_json if shown_body.lstrip()[:1] in ("{", "[") else of_lines
    return found + compare(shown_body, printed_body)


def head_and_body(message):
    head, _, body = message.partition("\n\n")
    return head.rstrip("\n").split("\n"), body


def with_lower_name(header):
    name, colon, value = header.partition(":")
    return name.lower() + colon + value
