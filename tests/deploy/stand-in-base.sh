#!/usr/bin/env bash
# Builds a substitute for the base image of the Dockerfile, for machines that cannot reach a container registry. The substitute has the
# same Debian release, from its package mirror, a C compiler, and the Rust toolchain of this machine. It gets the name of the public
# image. Needs root, debootstrap and buildah.
#
#   stand-in-base.sh NAME      NAME is the image in the FROM line, such as rust:1.95.0-bookworm
set -euo pipefail
name=$1
suite=${name##*-}
root=target/deploy/base

if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    nice debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates "$suite" "$root" http://deb.debian.org/debian >target/deploy/debootstrap.log
    rm -rf "$root"/var/cache/apt/archives/*.deb
    # The toolchain goes to the paths of the public image. The CA certificates of this machine are copied because it may trust additional
    # authorities, such as that of a proxy.
    mkdir -p "$root/usr/local/rust" "$root/usr/local/cargo/bin"
    toolchain=$PWD/$root/usr/local/rust
    (cd "$(rustc --print sysroot)" && cp -a --parents bin lib/lib*.so* lib/rustlib/"$(rustc -vV | sed -n 's/^host: //p')" "$toolchain/")
    ln -sf /usr/local/rust/bin/cargo /usr/local/rust/bin/rustc "$root/usr/local/cargo/bin/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    touch "$root/complete"
fi

container=$(buildah from scratch)
trap 'buildah rm "$container" >/dev/null' EXIT
buildah add --quiet "$container" "$root" / >/dev/null
buildah config --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo "$container"
buildah commit --quiet "$container" "docker.io/library/$name" >/dev/null
