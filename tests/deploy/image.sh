#!/usr/bin/env bash
# The image: built from the Dockerfile, looked into, and run as strictly as Kubernetes would: as its numeric user, with a read-only root,
# without capabilities, in a network of its own. Calls come from outside. Where no registry can be reached, it is built on a stand-in of
# its base (stand-in-base.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/target/deploy
image=localhost/lrs-gateway:test
not_run() { echo "$*" | tee -a "$work/not-run"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { echo "  ok: $*"; }

[ "$(id -u)" = 0 ] || { not_run "the image: building it here takes root"; exit 0; }
export PATH=$PATH:/usr/sbin
for program in buildah podman runc; do
    command -v $program >/dev/null || { not_run "the image: there is no $program"; exit 0; }
done

# A store of our own, that goes away with target/; and settings that fit a machine which is a container itself.
mkdir -p "$work/storage" "$work/containers-run"
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/containers-run"
END
cat >"$work/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
END
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf

# --- build
base=$(sed -n 's/^FROM \([^ ]*\) AS build$/\1/p' Dockerfile)
if buildah images "docker.io/library/$base" >/dev/null 2>&1; then
    echo "base: $base is here already"
elif timeout 30 buildah pull --quiet "docker.io/library/$base" >/dev/null 2>&1; then
    echo "base: $base, from its registry"
else
    tests/deploy/stand-in-base.sh "$base"
fi
if [ -e "$work/base/complete" ]; then
    not_run "the image was built on a stand-in of $base (Debian's packages and this machine's Rust), not on the public image: no registry can be reached"
fi
nice buildah build --quiet --isolation chroot --format docker --layers --pull-never --network host \
    --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)" --tag $image . >"$work/build.log" 2>&1 ||
    { tail -40 "$work/build.log"; fail "it cannot be built"; }
ok "built"

# --- look into it
say() { podman image inspect --format "$1" $image; }
[ "$(say '{{.Config.User}}')" = 65532:65532 ] || fail "it has another user: $(say '{{.Config.User}}')"
# Any revision of ours: buildah 1.28 takes labels from its cache, whatever the arguments are now.
git cat-file -e "$(say '{{index .Config.Labels "org.opencontainers.image.revision"}}')^{commit}" || fail "the label of its revision"
[ -n "$(say '{{index .Config.Labels "org.opencontainers.image.version"}}')" ] || fail "the label of its version"
container=$(buildah from --pull-never $image)
root=$(buildah mount "$container")
trap 'buildah rm "$container" >/dev/null' EXIT
echo "  what is in it ($(du -sh "$root" | cut -f1)):"
(cd "$root" && find . -type f | sort | sed 's/^\./    /')
executables=$(cd "$root" && find . -type f -perm /111 ! -name '*.so*' | sort)
[ "$executables" = ./usr/local/bin/lrs-gateway ] || fail "programs in it: $executables"
[ -z "$(find "$root" -perm /6000 -o -user 65532 | head -1)" ] || fail "something in it belongs to its user, or changes users"
ok "one program, no shell, and nothing that its user could change"

# --- run it
if ! tests/deploy/run-image.sh $image; then
    [ ! -e "$work/no-containers" ] || { tests/deploy/chroot-image.sh "$root"; exit; }
    fail "see above"
fi
