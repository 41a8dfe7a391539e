#!/usr/bin/env bash
# Makes a stand-in for the image the Dockerfile builds with, where no container registry can be reached: the same Debian from its package
# mirror, a C compiler, and the Rust that is installed here, under the name of the public image. Needs root, debootstrap and buildah.
#
#   stand-in-base.sh NAME      NAME is what stands behind FROM, such as rust:1.95.0-bookworm
set -euo pipefail
name=$1
suite=${name##*-}
root=target/deploy/base

if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    nice debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates "$suite" "$root" http://deb.debian.org/debian >target/deploy/debootstrap.log
    rm -rf "$root"/var/cache/apt/archives/*.deb
    # The toolchain, where the public image has its own; authorities, if this machine trusts its own (a proxy, for instance).
    mkdir -p "$root/usr/local/rust" "$root/usr/local/cargo/bin"
    into=$PWD/$root/usr/local/rust
    (cd "$(rustc --print sysroot)" && cp -a --parents bin lib/lib*.so* lib/rustlib/"$(rustc -vV | sed -n 's/^host: //p')" "$into/")
    ln -sf /usr/local/rust/bin/cargo /usr/local/rust/bin/rustc "$root/usr/local/cargo/bin/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    touch "$root/complete"
fi

container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null' EXIT
buildah add --quiet "$container" "$root" / >/dev/null
buildah config --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
buildah commit --quiet "$container" "docker.io/library/$name" >/dev/null
