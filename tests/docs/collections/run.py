"""Runs the collections for Postman and Bruno with their own programs, each against a new demonstration: every request must succeed."""

import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PROGRAMS = ROOT / "target/docs/collections/node_modules/.bin"
COLLECTIONS = ROOT / "examples/collections"

sys.path.insert(0, str(ROOT / "tests/clients"))
from gateway import Demonstration  # noqa: E402

# Requests of each collection: one per operation, and the search before a registration.
POSTMAN = [PROGRAMS / "newman", "run", COLLECTIONS / "postman/lrs-gateway.postman_collection.json", "--color", "off"]
BRUNO = [PROGRAMS / "bru", "run", "-r", "--env", "demonstration"]


def requests_of_bruno():
    return sum(1 for file in (COLLECTIONS / "bruno").glob("*/*.bru") if file.name != "folder.bru" and file.parent.name != "environments")


def run(name, command, directory, passed):
    """Runs a collection. `passed` finds the number of successful tests in what the program prints."""
    started = time.monotonic()
    with TemporaryDirectory() as scratch, Demonstration(sys.argv[1], Path(scratch)) as demonstration:
        access = demonstration.access
        variables = {"gateway": access["gateway"], "token": access["learningProvider"], "awardingToken": access["awardingOrganisation"]}
        options = [option for key, value in variables.items() for option in ("--env-var", f"{key}={value}")]
        result = subprocess.run([*command, *options], cwd=directory, text=True, capture_output=True, check=False, timeout=120)
    output = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
    for value in variables.values():
        output = output.replace(value, "…")
    found = re.search(passed, output)
    count, expected = (int(found[1]) if found else 0), requests_of_bruno()
    if result.returncode or count != expected:
        print(output)
        print(f"{name}: FAILED: {count} of {expected} requests succeeded, exit status {result.returncode}")
        return False
    print(f"{name}: {count} requests succeeded, {time.monotonic() - started:.0f} s")
    return True


if __name__ == "__main__":
    results = [
        run("Postman (newman)", POSTMAN, COLLECTIONS, r"assertions │ +(\d+) │ +0 │"),
        run("Bruno (bru)", BRUNO, COLLECTIONS / "bruno", r"Tests +│ +(\d+)/\1 "),
    ]
    sys.exit(not all(results))
