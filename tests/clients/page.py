"""The generated parts of docs/CLIENTS.md: the table of languages and tasks, and the generators' commands. A run compares them with the page,
or writes them."""

import os
import re

from clients import CLIENTS, EXAMPLES, ROOT, TASKS

PAGE = ROOT / "docs/CLIENTS.md"
HEADER = f"| language | generator | {' | '.join(TASKS)} |\n|{'---|' * (len(TASKS) + 2)}\n"
# The guide has its own names for what the Makefiles get from a run.
NAMES = {
    "cd $(OUT) && ": "", ". venv/bin/activate && ": "",
    "$(DOCUMENT)": "openapi.json", "$(DOCUMENT_3_0)": "openapi-3.0.json", "$(OUT)": "lrs-client", "$(CURDIR)/": "",
}


def replace_part(page, marker, text):
    """Returns the page with another text in a generated part. The text is a function of the present one."""
    generated = re.compile(rf"(<!-- {re.escape(marker)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    return generated.sub(lambda found: found[1] + text(found[2]) + found[3], page)


def row(client, passed):
    cells = ["yes" if task in passed else "no" for task in TASKS]
    return f"| {client.language} | {client.generator} | {' | '.join(cells)} |"


def table(passed, committed):
    """Returns the table. A client that did not run keeps its row."""
    def key(line):
        return tuple(line.split(" | ")[:2])

    old = {key(line): line for line in committed.splitlines()[2:]}
    rows = []
    for client in sorted(CLIENTS, key=lambda client: (client.language.casefold(), client.generator)):
        line = row(client, passed.get(client.name, ()))
        rows.append(line if client.name in passed else old.get(key(line), line))
    return HEADER + "\n".join(rows) + "\n"


def command(client):
    """Returns the command of the client's target `generate`."""
    makefile = (EXAMPLES / client / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^generate:\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    for name in sorted(NAMES, key=len, reverse=True):
        recipe = recipe.replace(name, NAMES[name])
    return "```sh\n" + recipe.removeprefix("\t").replace("\n\t\t", "\n    ") + "```\n"


def is_current(passed):
    """Returns whether the page has what worked in this run, by client, and the commands. With `UPDATE_DOCS`, writes them instead."""
    page = PAGE.read_text(encoding="utf-8")
    current = replace_part(page, "clients", lambda committed: table(passed, committed))
    for client in re.findall(r"<!-- command ([a-z-]+) -->", page):
        current = replace_part(current, f"command {client}", lambda _, client=client: command(client))
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(current, encoding="utf-8")
    elif current != page:
        lines = zip(current.splitlines(), page.splitlines())
        expected, actual = next(((new, old) for new, old in lines if new != old), ("", "the end of a generated part"))
        print(f"docs/CLIENTS.md differs from this run. If the run is right, update it with `UPDATE_DOCS=1 make test-clients`.\n"
              f"  the page has: {actual}\n  the run has:  {expected}")
        return False
    return True
