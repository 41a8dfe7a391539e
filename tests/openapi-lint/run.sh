#!/usr/bin/env bash
# Runs `make lint-openapi`: linters of other projects check both OpenAPI documents. Their versions are pinned here, their rules and the
# exceptions are in the files beside this one. At the end it lists the linters that could not run on this machine. Fails if a linter that
# ran has findings, or if redocly or spectral could not run and ALLOW_NOT_RUN is not set. vacuum needs GitHub, which not every machine reaches.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=tests/openapi-lint
tools=$PWD/target/openapi-lint
documents=(openapi/openapi.json openapi/openapi-3.0.json)
mkdir -p "$tools"
: >"$tools/not-run"
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true # the linters send nothing
tests/node.sh "$tools" >"$tools/node.log" 2>&1 || echo "Node.js could not be installed, see target/openapi-lint/node.log" >>"$tools/not-run"
export PATH=$tools/bin:$PATH
step() { printf '\n== %s\n' "$*"; }
not_run() { echo "$*" >>"$tools/not-run"; }

# Installs a package of npm into a directory of its own, so that one that cannot be installed leaves the others alone. Sets `linter`.
install() { # NAME PACKAGE
    linter=$tools/$1/node_modules/.bin/$1
    [ -e "$tools/$1/$(basename "$2")" ] && [ -x "$linter" ] && "$linter" --version >/dev/null 2>&1 && return
    command -v npm >/dev/null || { echo "npm is not installed" >"$tools/$1.log" && return 1; }
    rm -rf "${tools:?}/$1" && mkdir -p "$tools/$1"
    npm install --prefix "$tools/$1" --no-fund --no-audit --loglevel error "$2" >"$tools/$1.log" 2>&1 || return 1
    "$linter" --version >>"$tools/$1.log" 2>&1 || return 1
    touch "$tools/$1/$(basename "$2")"
}

failed=0 incomplete=""
lint() { # NAME PACKAGE ARGUMENTS...
    step "$2"
    if ! install "$1" "$2"; then
        not_run "$1: could not be installed, see target/openapi-lint/$1.log"
        [ "$1" = vacuum ] || incomplete=1
        return
    fi
    for document in "${documents[@]}"; do
        "$linter" "${@:3}" "$document" || failed=1
    done
}

lint redocly @redocly/cli@2.77.0 lint --config $here/redocly.yaml
lint spectral @stoplight/spectral-cli@6.16.3 lint --ruleset $here/spectral.yaml --fail-severity hint
# The package fetches the program from GitHub when it is installed.
lint vacuum @quobix/vacuum@0.27.0 lint --ruleset $here/vacuum.yaml --fail-severity warn --details --no-banner

step "Not run on this machine"
if [ -s "$tools/not-run" ]; then cat "$tools/not-run"; else echo "nothing: every linter ran"; fi
[ -z "$incomplete" ] || [ -n "${ALLOW_NOT_RUN:-}" ] || { echo "To accept this, set ALLOW_NOT_RUN=1." && exit 1; }
exit $failed
