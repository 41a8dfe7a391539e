"""Checks the software bill of materials of the image: CycloneDX, with crates of Cargo.lock in their versions, and the program's own version."""

import json
import sys
import tomllib
from pathlib import Path

bill = json.loads(Path(sys.argv[1]).read_text())
assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5"), (bill["bomFormat"], bill["specVersion"])
program = bill["metadata"]["component"]
version = tomllib.loads(Path("Cargo.toml").read_text())["package"]["version"]
assert (program["name"], program["version"]) == ("lrs-gateway", version), (program["name"], program["version"])
locked = {(each["name"], each["version"]) for each in tomllib.loads(Path("Cargo.lock").read_text())["package"]}
crates = {(each["name"], each["version"]) for each in bill["components"]}
assert crates <= locked, crates - locked
direct = set(tomllib.loads(Path("Cargo.toml").read_text())["dependencies"]) - {"lrs-gateway-derive", "native-tls"}
assert direct <= {name for name, _ in crates}, direct - {name for name, _ in crates}
print(f"  {len(crates)} crates in the software bill of materials")
