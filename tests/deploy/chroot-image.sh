#!/usr/bin/env bash
# Runs the program in the image's root file system, for machines that cannot run containers. The root file system is read-only, and the
# program runs as the image's user without capabilities. It uses the network of this machine.
#
#   chroot-image.sh ROOT
set -euo pipefail
root=$1
work=$PWD/target/deploy
echo "image: this machine cannot run containers, so the program was run in the image's root file system with chroot and setpriv, in this machine's network" | tee -a "$work/not-run"
process=
clean_up() {
    [ -z "$process" ] || kill "$process" 2>/dev/null || true
    umount "$work/root" 2>/dev/null || true
}
trap clean_up EXIT
mkdir -p "$work/root"
mount --bind "$root" "$work/root" && mount -o remount,bind,ro "$work/root"
port=18080
(exec env -i "PATH=$PATH" setpriv --no-new-privs chroot --userspec 65532:65532 --groups= "$work/root" /usr/local/bin/lrs-gateway demo --listen 127.0.0.1:$port) >"$work/chroot.log" 2>&1 &
process=$!
for _ in $(seq 100); do curl -sf -o /dev/null http://127.0.0.1:$port/health/ready && break; sleep 0.2; done
for expected in 'Uid:(\s+65532){4}' 'CapEff:\s+0+' 'NoNewPrivs:\s+1'; do grep -qE "^$expected\$" "/proc/$process/status"; done
token=$(sed -n '/^Token of a learning provider/{n;p}' "$work/chroot.log")
curl -s http://127.0.0.1:$port/v1/learners/find-by-uln -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d '{"uln":"3000000126","givenName":"Ana","familyName":"O'\''Neill"}' | grep -q '"outcome":"EXACT_MATCH"'
echo "  ok: the program runs in the image's read-only file system as user 65532 without capabilities, and its first call returns EXACT_MATCH"
