#!/usr/bin/env python3
"""Runs the guides of docs/guides, each against a demonstration of its own, and compares what their commands print with what they show.

guide_page.py has the convention for pages. `make test-docs` runs this. Exit code 1: a guide is not true, or
was not run because a program is missing. ALLOW_NOT_RUN=1 accepts the latter.
"""

import argparse
import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from guide_page import PageError, parse
from run_page import Failure, run_page

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/clients"))
from gateway import Demonstration  # noqa: E402

# What guides may use in their directory, as in a clone.
OF_THE_CLONE = ("examples", "openapi")


def run_guide(path, program):
    """Runs a guide. Returns its page, if it can be read, and its failures."""
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
    try:
        page = parse(name, path.read_text(encoding="utf-8"))
    except (PageError, OSError, UnicodeDecodeError) as error:
        return None, [Failure(f"{name}: {error}\n")]
    if not page.commands or missing_tools(page):
        return page, []
    with tempfile.TemporaryDirectory(prefix="lrs-gateway-guide-") as temporary:
        directory, work = pathlib.Path(temporary, "clone"), pathlib.Path(temporary, "work")
        directory.mkdir()
        work.mkdir()
        # The program's own file may have another name.
        programs = work / "bin"
        programs.mkdir()
        (programs / "lrs-gateway").symlink_to(program)
        for content in OF_THE_CLONE:
            shutil.copytree(ROOT / content, directory / content)
        try:
            with Demonstration(program, work, "--env-file", directory / "demo.env") as demonstration:
                failures = run_page(page, directory, work, demonstration.url.removeprefix("http://"), programs)
                if not demonstration.is_running():
                    failures.append(Failure(f"{name}: the demonstration has ended: {demonstration.log_text()}\n"))
        except RuntimeError as error:
            failures = [Failure(f"{name}: {error}\n")]
    return page, failures


def missing_tools(page):
    """Returns what a page needs and this machine does not have."""
    return [tool for commands in page.commands for tool in commands.tools if not is_available(tool)]


@functools.cache
def is_available(tool):
    if tool == "npm-registry":
        return is_available("npm") and subprocess.run(["npm", "view", "typescript", "version"], capture_output=True, check=False).returncode == 0
    # Servers are often outside of the path of users.
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is not None


def report(page, failures, seconds):
    if page is not None and missing_tools(page):
        print(f"{page.name}: not run: needs {', '.join(missing_tools(page))}", flush=True)
    elif page is not None:
        outputs = sum(len(commands.outputs) for commands in page.commands)
        print(f"{page.name}: {len(page.commands)} blocks of commands run, {outputs} outputs compared, {seconds:.1f} s", flush=True)
        for block in page.not_run:
            print(f"  line {block.line} not run: {block.reason}")
    for failure in failures:
        print(f"FAILED {failure}", end="", flush=True)


def self_test():
    """Runs the tests of the runner itself."""
    tests = unittest.defaultTestLoader.discover(str(pathlib.Path(__file__).parent), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=1).run(tests)
    return 0 if result.wasSuccessful() and result.testsRun else 1


def main():
    parser = argparse.ArgumentParser(description="Run the guides, and compare their outputs.")
    parser.add_argument("pages", nargs="*", type=pathlib.Path, metavar="PAGE", help="Markdown files; default: every page of docs/guides")
    default_program = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug/lrs-gateway"
    parser.add_argument("--program", type=pathlib.Path, default=default_program, help="the program; default: %(default)s")
    parser.add_argument("--self-test", action="store_true", help="run the tests of this runner instead")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    program = arguments.program.resolve()
    if not program.is_file():
        parser.error(f"{program} does not exist: build it with `cargo build`, or name it with --program")
    missing = [tool for tool in ("bash", "curl", "jq") if shutil.which(tool) is None]
    if missing:
        parser.error(f"the guides need {', '.join(missing)}: install the packages of these names")
    pages = [page.resolve() for page in arguments.pages] or sorted((ROOT / "docs/guides").glob("*.md"))
    if not pages:
        parser.error("docs/guides has no page")

    failed, incomplete = 0, 0
    for path in pages:
        started_at = time.monotonic()
        page, failures = run_guide(path, program)
        report(page, failures, time.monotonic() - started_at)
        failed += bool(failures)
        incomplete += page is not None and bool(missing_tools(page))
    print(f"{len(pages)} guides, {failed} with failures", flush=True)
    if incomplete and not os.environ.get("ALLOW_NOT_RUN"):
        print(f"{incomplete} guides were not run. To accept this, set ALLOW_NOT_RUN=1")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
