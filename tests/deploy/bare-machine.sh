#!/usr/bin/env bash
# Runs a command of this repository on a machine that has nothing: a minimal Debian in directories of its own, with the packages that
# `debootstrap` installs and `make`. It proves that the install steps of `make` are complete. Needs root and debootstrap.
#
#   tests/deploy/bare-machine.sh DIRECTORY COMMAND...      DIRECTORY is kept, and used again by the next run
#   tests/deploy/bare-machine.sh DIRECTORY tests/deploy/run.sh chart
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$(realpath -m "$1")
shift
if [ ! -e "$root.complete" ]; then
    debootstrap --variant=minbase --include=make bookworm "$root" http://deb.debian.org/debian >"$root.log"
    # This machine may trust additional authorities, such as that of a proxy, and have its own name servers.
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/authorities-of-this-machine.crt"
    cp -L /etc/resolv.conf "$root/etc/"
    touch "$root.complete"
fi
mkdir -p "$root/repository"
git ls-files -z --cached --others --exclude-standard | tar --null --create --files-from - | tar --extract --directory "$root/repository"

# A mount namespace, whose root is the directory. A container can be started in it, unlike in a chroot.
cat >"$root/enter.sh" <<'END'
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount --rbind /dev dev
mount --rbind /sys sys
mkdir -p old
pivot_root . old
mount -t proc proc /proc
umount -l /old
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
cd /repository
shift
exec "$@"
END
exec unshare --mount --pid --fork env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    SSL_CERT_FILE=/etc/authorities-of-this-machine.crt PIP_CERT=/etc/authorities-of-this-machine.crt \
    sh "$root/enter.sh" "$root" "$@"
