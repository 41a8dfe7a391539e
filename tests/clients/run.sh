#!/usr/bin/env bash
# Runs `make test-clients`. Arguments: the names of the clients to run. Without names, all run.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1
mkdir -p target/clients
tests/clients/tools.sh
exec python3 tests/clients/run.py "${CARGO_TARGET_DIR:-target}/debug/lrs-gateway" "$@"
