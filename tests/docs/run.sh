#!/usr/bin/env bash
# Runs `make test-docs` against demonstrations: the commands of the guides, the pages in a browser, and the collections for Postman and Bruno.
# Installs what they need: packages of Debian in the system, packages of npm below target/docs. At the end it lists what could not run on this
# machine, and fails if that is something, unless ALLOW_NOT_RUN is set. Arguments: the parts to run (guides, browser, collections); all without.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/tests/docs
tools=$PWD/target/docs
program=$(realpath "${CARGO_TARGET_DIR:-target}/debug/lrs-gateway")
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1 # the requests stay on this machine
export PYTHONDONTWRITEBYTECODE=1
mkdir -p "$tools"
: >"$tools/not-run"
step() { printf '\n== %s\n' "$*"; }
not_run() { echo "$*" >>"$tools/not-run"; }
not_installed() { echo "$*" >&2; }
source tests/debian.sh

[ $# != 0 ] || set -- guides browser collections
wanted() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac; }
parts=$*

packages=()
needs() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || packages+=("$2")
}
# tests/node.sh makes an environment of Python if the system's Node.js is missing or old.
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
! wanted guides || { needs curl curl; needs jq jq; needs nginx nginx; needs haproxy haproxy; needs tinyproxy tinyproxy; needs openssl openssl; }
! wanted browser || { needs chromium chromium; needs pdftotext poppler-utils; }
install_packages "$tools/apt.log" "${packages[@]}"
tests/node.sh "$tools" >"$tools/node.log" 2>&1 || not_installed "Node.js: see $tools/node.log"
export PATH=$tools/bin:$PATH:/usr/sbin

# Installs the packages of tests/docs/NAME/package-lock.json below target/docs/NAME, if they are not there.
npm_packages() { # NAME
    local directory=$tools/$1
    ! cmp -s "$here/$1/package-lock.json" "$directory/installed" || return 0
    rm -rf "$directory" && mkdir -p "$directory"
    cp "$here/$1/package.json" "$here/$1/package-lock.json" "$directory/"
    (cd "$directory" && npm ci --ignore-scripts --no-fund --no-audit --loglevel error) >"$tools/$1.log" 2>&1 || return 1
    cp "$here/$1/package-lock.json" "$directory/installed"
}

# Notes that a part cannot run if a command is missing.
has() { # PART COMMAND...
    local command
    for command in "${@:2}"; do
        command -v "$command" >/dev/null || { not_run "$1: $command could not be installed, see target/docs/apt.log and node.log" && return 1; }
    done
}

run_guides() {
    has guides curl jq || return 0
    python3 "$here/guides.py" --self-test && python3 "$here/guides.py" --program "$program"
}

run_browser() {
    has browser chromium pdftotext npm || return 0
    npm_packages browser || { not_run "browser: playwright-core and axe-core could not be installed, see target/docs/browser.log" && return; }
    CHROMIUM=$(command -v chromium) node "$here/browser/run.mjs" "$program"
}

run_collections() {
    has collections npm || return 0
    npm_packages collections || { not_run "collections: newman and bru could not be installed, see target/docs/collections.log" && return; }
    python3 "$here/collections/run.py" "$program"
}

failed=0
collections=
trap '[ -z "$collections" ] || kill -- "-$collections" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
# The guides and the collections mostly wait for jobs of the simulated LRS, so they run beside each other.
if wanted collections; then
    set -m # a process group of its own, which can be stopped with all its programs
    run_collections >"$tools/collections.out" 2>&1 &
    collections=$!
    set +m
fi
if wanted guides; then
    step "Guides: their commands, and what they print"
    run_guides || failed=1
fi
if wanted collections; then
    step "Collections for Postman and Bruno"
    wait "$collections" || failed=1
    collections=
    cat "$tools/collections.out"
fi
if wanted browser; then
    step "Pages, in a browser"
    run_browser || failed=1
fi

step "Not run on this machine"
if [ -s "$tools/not-run" ]; then cat "$tools/not-run"; else echo "nothing: every part ran"; fi
[ ! -s "$tools/not-run" ] || [ -n "${ALLOW_NOT_RUN:-}" ] || { echo "To accept this, set ALLOW_NOT_RUN=1." && failed=1; }
exit "$failed"
