#!/usr/bin/env python3
"""Writes the collections for Postman and Bruno beside this file from the OpenAPI document (`make openapi` runs it).

With `--check`, writes nothing: it fails if a file differs, is missing, or is left over from an operation that no longer exists.
"""

import sys
from pathlib import Path

import bruno
import postman
from operations import groups, load

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "openapi" / "openapi.json"


def generated():
    """Returns the content of every generated file by its path below this directory."""
    document = load(DOCUMENT)
    files = {}
    for module in (bruno, postman):
        files.update(module.files(document["info"], groups(document)))
    return files


def present():
    """Returns the paths of the files in the directories of the collections."""
    return {str(path.relative_to(HERE)) for name in ("bruno", "postman") for path in (HERE / name).rglob("*") if path.is_file()}


def check(files):
    wrong = [name for name in sorted(files) if not (HERE / name).is_file() or (HERE / name).read_text(encoding="utf-8") != files[name]]
    wrong += sorted(present() - set(files))
    if wrong:
        sys.exit(f"the collections differ from openapi/openapi.json: run `make openapi`. Files: {', '.join(wrong)}")


def write(files):
    for name in present() - set(files):
        (HERE / name).unlink()
    for name, text in files.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(f"usage: {sys.argv[0]} [--check]")
    (check if sys.argv[1:] else write)(generated())
