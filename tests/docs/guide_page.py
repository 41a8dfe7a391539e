"""The commands of a guide and the outputs that it shows, from its Markdown. `make test-docs` runs and compares them.

A code block belongs to the test by the text after its first fence:

    sh                      commands, which are run
    sh needs: TOOL…         the same; without these programs, no command of the guide is run. `npm-registry` is the registry of npm
    sh not-run: REASON      commands that the test cannot run
    json output             what the last block of commands prints; also text, http and csv
    any other language      shown to the reader only

"""

import dataclasses
import re

OUTPUT_LANGUAGES = ("json", "text", "http", "csv")
# Names under which readers expect commands, and under which the test would not find them.
OTHER_SHELLS = ("bash", "shell", "console", "zsh", "sh-session")


class PageError(Exception):
    """A guide that does not follow the convention."""


@dataclasses.dataclass
class Block:
    """A code block. `line` is that of its first fence, counted from 1."""

    line: int
    text: str


@dataclasses.dataclass
class Commands(Block):
    """Commands. `outputs` has the blocks that show what they print: none, or one. `tools` has the programs that they need."""

    outputs: list = dataclasses.field(default_factory=list)
    tools: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Output(Block):
    language: str = ""


@dataclasses.dataclass
class NotRun(Block):
    reason: str = ""


@dataclasses.dataclass
class GuidePage:
    name: str
    commands: list
    not_run: list


def parse(name, markdown):
    """Returns the page with this Markdown, or raises a `PageError`."""
    commands, not_run, last = [], [], None
    for line, info, text in fences(markdown):
        words = info.split()
        language = words[0] if words else ""
        if info == "sh" or (info.startswith("sh needs: ") and words[2:]):
            last = Commands(line, text, tools=words[2:])
            commands.append(last)
        elif info.startswith("sh not-run"):
            reason = info.removeprefix("sh not-run").removeprefix(":").strip()
            if not reason or not info.startswith("sh not-run: "):
                raise PageError(f"line {line}: commands that are not run need a reason: `sh not-run: REASON`")
            last = NotRun(line, text, reason)
            not_run.append(last)
        elif words[1:] == ["output"] and language in OUTPUT_LANGUAGES:
            if isinstance(last, NotRun):
                continue
            if last is None or last.outputs:
                raise PageError(f"line {line}: no commands before this output. Each block of commands has at most one")
            if not text.replace("…", "").strip(' \n"'):
                raise PageError(f"line {line}: the output shows nothing that could differ")
            last.outputs.append(Output(line, text, language))
        elif len(words) > 1 or not words or language in (*OTHER_SHELLS, "sh"):
            allowed = ", ".join(f"`{language} output`" for language in OUTPUT_LANGUAGES)
            raise PageError(f"line {line}: `{info}` is unknown. Use `sh`, `sh needs: TOOL`, `sh not-run: REASON`, {allowed}, or the name of one other language")
    if not commands and not not_run:
        raise PageError("the guide has no commands")
    return GuidePage(name, commands, not_run)


def fences(markdown):
    """Yields line, info string and text of each code block between fences."""
    opening = None
    for number, line in enumerate(markdown.splitlines(), 1):
        if opening is None:
            found = re.fullmatch(r"( *)(`{3,}|~{3,})([^`]*)", line)
            if found:
                indent, fence, info = found.groups()
                opening, content = (number, len(indent), fence, info.strip()), []
            continue
        start, indent, fence, info = opening
        if re.fullmatch(rf" *{re.escape(fence[0])}{{{len(fence)},}} *", line):
            yield start, info, "".join(f"{text}\n" for text in content)
            opening = None
        else:
            # A block within a list is indented as its fence is.
            content.append(line[min(indent, len(line) - len(line.lstrip(" "))):])
    if opening is not None:
        raise PageError(f"line {opening[0]}: the code block has no end")
