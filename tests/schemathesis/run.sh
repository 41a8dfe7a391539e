#!/usr/bin/env bash
# Runs `make test-contract`: schemathesis sends requests that satisfy the OpenAPI document, and requests that do not, to the demonstration and
# to a configured gateway, and checks every answer against the document. Fails on findings, and if few requests are accepted. The exceptions are in
# schemathesis.toml. ALLOW_NOT_RUN=1 accepts that schemathesis cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/schemathesis
tools=$PWD/target/schemathesis
program=${CARGO_TARGET_DIR:-target}/debug/lrs-gateway
version=4.32.5
# Time for each of the two gateways, in seconds.
seconds=${CONTRACT_SECONDS:-100}
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 # the requests stay on this machine
export PYTHONDONTWRITEBYTECODE=1
schemathesis=$tools/python/bin/schemathesis

rm -rf "$tools/work" && mkdir -p "$tools/work"
processes=()
stop() {
    [ ${#processes[@]} = 0 ] || { kill "${processes[@]}" 2>/dev/null && wait "${processes[@]}" 2>/dev/null; } || true
    processes=()
}
trap stop EXIT

# Waits until a command prints something, and prints that.
wait_for() {
    local text
    for _ in $(seq 300); do
        text=$("$@" 2>/dev/null || true)
        [ -z "$text" ] || { echo "$text" && return; }
        sleep 0.1
    done
    echo "timed out: $*" >&2
    return 1
}

field() { # FILE NAME: a text in a JSON file
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"
}

logged() { # FILE NAME: the first text with this name in a log
    sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p" "$1" | head -1
}

start_demo() {
    "$program" demo --listen 127.0.0.1:0 --unlimited --token-file "$tools/work/access.json" >"$tools/work/demo.out" 2>"$tools/work/demo.log" &
    processes+=($!)
    wait_for grep -m 1 gateway "$tools/work/demo.out" >"$tools/work/started"
    url=$(field "$tools/work/access.json" gateway)
    LEARNING_PROVIDER_TOKEN=$(field "$tools/work/access.json" learningProvider)
    AWARDING_ORGANISATION_TOKEN=$(field "$tools/work/access.json" awardingOrganisation)
}

start_serve() {
    cp -r "$here/gateway" "$tools/work/gateway"
    "$program" simulate --listen 127.0.0.1:0 2>"$tools/work/simulator.log" &
    processes+=($!)
    LRS_GATEWAY__LRS__BASE_URL=$(wait_for logged "$tools/work/simulator.log" address)
    export LRS_GATEWAY__LRS__BASE_URL
    local config=$tools/work/gateway/gateway.toml
    "$program" serve --config "$config" 2>"$tools/work/serve.log" >"$tools/work/audit.log" &
    processes+=($!)
    url=http://$(wait_for logged "$tools/work/serve.log" api)
    token() { "$program" token --config "$config" --organisation "$1" --user contract.tester; }
    LEARNING_PROVIDER_TOKEN=$(token 10088881)
    AWARDING_ORGANISATION_TOKEN=$(token 10088882)
}

failed=0
run() { # NAME
    printf '\n== %s\n' "$1"
    "start_$1"
    export LEARNING_PROVIDER_TOKEN AWARDING_ORGANISATION_TOKEN
    rm -f "$tools/$1.json"
    (cd "$tools/work" && "$schemathesis" --config-file "$here/schemathesis.toml" run "$url/openapi.json" --checks all --no-color \
        --max-time "$seconds" --report json --report-json-path "$tools/$1.json") || failed=1
    python3 "$here/accepted.py" "$tools/$1.json" || failed=1
    stop
}

has_schemathesis() { "$schemathesis" --version 2>/dev/null | grep -q "$version"; }
has_schemathesis || { python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet "schemathesis==$version"; } \
    >"$tools/pip.log" 2>&1 || true
if ! has_schemathesis; then
    printf 'NOT RUN: schemathesis %s could not be installed, see target/schemathesis/pip.log. It needs python3 with venv, and PyPI\n' "$version"
    [ -n "${ALLOW_NOT_RUN:-}" ] || { echo "To accept this, set ALLOW_NOT_RUN=1." && exit 1; }
    exit 0
fi
run demo
run serve
exit "$failed"
