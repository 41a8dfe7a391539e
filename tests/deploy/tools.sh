#!/usr/bin/env bash
# Installs the tools of `make test-deploy`: those of one part (`chart` or `image`), or of all. Python tools go to a virtual environment below
# target/. promtool and haproxy are unpacked from Debian packages below target/, because installed packages would start services. The
# other programs are installed in the system. Tools that cannot be installed are listed in target/deploy/not-run.
#
# Packages are installed without the packages that they only recommend. Add what a program needs of those, and prove it on a machine that
# has nothing: tests/deploy/bare-machine.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
part=${1:-all}
mkdir -p target/deploy/debian
not_run() { echo "$*" >>target/deploy/not-run; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }

command -v apt-get >/dev/null || {
    not_run "tools: not installed, because this system has no apt-get; tests that need a missing one are not run"
    apt_get() { return 1; }
}
command -v apt-get >/dev/null && apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@"; }

# The lists of packages are fetched once, and only if something is missing.
update() {
    [ "${updated:-}" ] || apt_get update -qq || return 1
    updated=yes
}
install() { # PACKAGE...
    [ $# = 0 ] && return
    update && apt_get install -y -qq --no-install-recommends "$@" >target/deploy/apt.log 2>&1 && return
    tail -5 target/deploy/apt.log 2>/dev/null || true
    not_run "could not be installed: $*"
}
unpack() { # PROGRAM DEBIAN_PACKAGE: unpacks the package, and the libraries that this machine lacks, without installing them
    [ -x "target/deploy/debian/$1" ] && return
    update && (
        cd target/deploy/debian
        packages=$(apt-get install --simulate --no-install-recommends "$2" 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
        # shellcheck disable=SC2086
        apt-get download -qq ${packages:-$2} 2>/dev/null
        for package in *.deb; do dpkg -x "$package" . && rm "$package"; done
    ) && [ -x "target/deploy/debian/$1" ] || not_run "$1: the Debian package $2 could not be downloaded"
}

missing=()
has curl || missing+=(curl)
has git || missing+=(git)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if [ "$part" != chart ]; then
    for program in buildah podman runc debootstrap redis-server; do has $program || missing+=($program); done
    # podman needs netavark even for a container without a network. Debian only recommends it.
    [ -x /usr/lib/podman/netavark ] || missing+=(netavark)
    has ip || missing+=(iproute2)
fi
install "${missing[@]}"

tools=target/deploy/python
if ! cmp -s tests/deploy/requirements.txt $tools/requirements.txt; then
    rm -rf $tools
    python3 -m venv $tools
    $tools/bin/pip install --quiet --requirement tests/deploy/requirements.txt
    cp tests/deploy/requirements.txt $tools/
fi
[ "$part" = image ] || unpack usr/bin/promtool prometheus
unpack usr/sbin/haproxy haproxy
