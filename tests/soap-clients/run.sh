#!/usr/bin/env bash
# Runs `make test-soap-clients`: SOAP clients of other projects call every operation of the simulator, starting from its WSDLs alone. At the
# end it lists the clients that could not run on this machine. Fails only if a client ran and did not get what calls.json expects.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/soap-clients
tools=$PWD/target/soap-clients
program=${CARGO_TARGET_DIR:-target}/debug/lrs-gateway
mkdir -p "$tools"
: >"$tools/not-run"
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 # the clients call this machine only
export PYTHONDONTWRITEBYTECODE=1
step() { printf '\n== %s\n' "$*"; }
not_run() { echo "$*" >>"$tools/not-run"; }
apt() { $([ "$(id -u)" = 0 ] || echo sudo) apt-get "$@"; }

# Starts a simulator on a free port. Sets `simulator` to its process and `url` to its address.
start_simulator() {
    printf 'job_seconds = 0\n' >"$tools/simulator.toml"
    rm -f "$tools/simulator.log" # the address in it is that of the client before
    "$program" simulate --config "$tools/simulator.toml" --listen 127.0.0.1:0 --wsdl "$LRS_CONTRACT_DIR/wsdl" 2>"$tools/simulator.log" &
    simulator=$!
    url=
    while kill -0 "$simulator" 2>/dev/null && [ -z "$url" ]; do
        url=$(sed -n 's/.*"address":"\([^"]*\)".*/\1/p' "$tools/simulator.log" 2>/dev/null || true)
        [ -n "$url" ] || sleep 0.1
    done
    [ -n "$url" ] || { cat "$tools/simulator.log" && exit 1; }
}

stop_simulator() {
    [ -z "${simulator:-}" ] || { kill "$simulator" 2>/dev/null && wait "$simulator" 2>/dev/null; } || true
    simulator=
}
trap stop_simulator EXIT

failed=0
# Each client gets a simulator of its own: the numbers of jobs begin anew, and no learner is registered already.
run() { # NAME COMMAND...
    step "$1"
    start_simulator
    "${@:2}" "$url" "$here/calls.json" || {
        failed=1
        echo "Requests that the simulator refused:"
        grep -a '"message":"request refused"' "$tools/simulator.log" || true
    }
    stop_simulator
}

if [ -z "${LRS_CONTRACT_DIR:-}" ]; then
    not_run "all clients: LRS_CONTRACT_DIR does not name a directory with LRS's wsdl/*.wsdl, and the clients start from the WSDLs"
else
    has_zeep() { "$tools/python/bin/python" -c 'import zeep' 2>/dev/null; }
    has_zeep || { python3 -m venv "$tools/python" && "$tools/python/bin/pip" install --quiet zeep==4.3.3; } >"$tools/pip.log" 2>&1 || true
    if has_zeep; then
        run "zeep (Python)" "$tools/python/bin/python" "$here/zeep_client.py"
    else
        not_run "zeep: could not be installed, see target/soap-clients/pip.log. It needs python3 with venv, and PyPI"
    fi

    has_php() { command -v php >/dev/null && php -r 'exit(class_exists("SoapClient") ? 0 : 1);'; }
    has_php || { apt update -qq && apt install -y -qq --no-install-recommends php-cli php-soap; } >"$tools/apt.log" 2>&1 || true
    if has_php; then
        run "SoapClient (PHP)" php "$here/php_client.php"
    else
        not_run "PHP's SoapClient: could not be installed, see target/soap-clients/apt.log. It is in the Debian packages php-cli and php-soap"
    fi

    has_strong_soap() { [ -d "$tools/node/node_modules/strong-soap" ]; }
    has_strong_soap || npm install --silent --no-save --prefix "$tools/node" strong-soap@5.0.10 >"$tools/npm.log" 2>&1 || true
    if has_strong_soap; then
        run "strong-soap (Node.js)" env NODE_PATH="$tools/node/node_modules" node "$here/strong_soap_client.cjs"
    else
        not_run "strong-soap: could not be installed, see target/soap-clients/npm.log. It needs node, npm and the npm registry"
    fi
fi

if [ -s "$tools/not-run" ]; then
    step "Not run on this machine"
    cat "$tools/not-run"
elif [ "$failed" = 0 ]; then
    step "All clients called every operation"
fi
exit "$failed"
