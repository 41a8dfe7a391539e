#!/usr/bin/env bash
# Builds the image from the Dockerfile, inspects it, and runs it with the restrictions that Kubernetes would apply: with its numeric user,
# a read-only root file system, no capabilities, and its own network. Without a container registry, the image is built on a substitute of
# its base image (stand-in-base.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/target/deploy
image=localhost/lrs-gateway:test
not_run() { echo "$*" | tee -a "$work/not-run"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { echo "  ok: $*"; }

[ "$(id -u)" = 0 ] || { not_run "image: building it needs root"; exit 0; }
export PATH=$PATH:/usr/sbin
for program in buildah podman runc; do
    command -v $program >/dev/null || { not_run "image: $program is not installed"; exit 0; }
done

# The image storage is below target/. The settings work on a machine that is itself a container.
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

# Build the image.
base=$(sed -n 's/^FROM \([^ ]*\) AS base$/\1/p' Dockerfile)
dockerfile=Dockerfile
if timeout 60 buildah pull --quiet "docker.io/library/$base" >/dev/null 2>&1; then
    echo "base image: $base, from its registry"
else
    # The substitute has the name without the digest.
    base=${base%@*}
    dockerfile=$work/Dockerfile
    sed 's/^\(FROM [^ ]*\)@sha256:[0-9a-f]* /\1 /' Dockerfile >"$dockerfile"
    if ! buildah images "docker.io/library/$base" >/dev/null 2>&1; then
        command -v rustc >/dev/null || { not_run "image: the base image cannot be pulled, and there is no Rust toolchain for a substitute of it"; exit 0; }
        tests/deploy/stand-in-base.sh "$base"
    fi
fi
if [ "$dockerfile" != Dockerfile ]; then
    not_run "image: built on a substitute of $base (Debian packages and the Rust toolchain of this machine), because no registry can be reached"
fi
nice buildah build --quiet --isolation chroot --format docker --layers --pull-never --network host --file "$dockerfile" \
    --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)" --build-arg SOURCE=https://git.example/lrs-gateway \
    --tag $image . >"$work/build.log" 2>&1 ||
    { tail -40 "$work/build.log"; fail "the image cannot be built"; }
ok "the image was built"

# Inspect the image.
image_field() { podman image inspect --format "$1" $image; }
[ "$(image_field '{{.Config.User}}')" = 65532:65532 ] || fail "the image has another user: $(image_field '{{.Config.User}}')"
# Any revision of this repository is accepted, because buildah 1.28 takes labels from its cache, even if the build arguments changed.
git cat-file -e "$(image_field '{{index .Config.Labels "org.opencontainers.image.revision"}}')^{commit}" || fail "the label of the revision names no commit of this repository"
[ -n "$(image_field '{{index .Config.Labels "org.opencontainers.image.version"}}')" ] || fail "the label of the version is empty"
[ "$(image_field '{{index .Config.Labels "org.opencontainers.image.source"}}')" = https://git.example/lrs-gateway ] || fail "the label of the source is wrong"
[ "$(image_field '{{.Config.Cmd}}')" = "[]" ] || fail "the image has a default command: $(image_field '{{.Config.Cmd}}')"
container=$(buildah from --pull-never $image)
root=$(buildah mount "$container")
trap 'buildah rm "$container" >/dev/null' EXIT
echo "  files of the image ($(du -sh "$root" | cut -f1)):"
(cd "$root" && find . -type f | sort | sed 's/^\./    /')
executables=$(cd "$root" && find . -type f -perm /111 ! -name '*.so*' | sort)
[ "$executables" = ./usr/local/bin/lrs-gateway ] || fail "the image has these executables: $executables"
[ -z "$(find "$root" -perm /6000 -o -user 65532 | head -1)" ] || fail "the image has a file that belongs to its user, or a setuid or setgid file"
ok "the image has one program, no shell, and no file that its user can change"
"$work/python/bin/python" tests/deploy/sbom.py "$root/usr/share/doc/lrs-gateway/sbom.cdx.json"
ok "the image has a software bill of materials with the crates of Cargo.lock"

# Run the image.
if ! tests/deploy/run-image.sh $image; then
    [ ! -e "$work/no-containers" ] || { tests/deploy/chroot-image.sh "$root"; exit; }
    fail "the image does not run correctly: see the message above"
fi
