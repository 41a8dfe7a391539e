#!/usr/bin/env bash
# Runs the image with the restrictions that Kubernetes would apply, in its own network, and calls it from outside.
#
#   run-image.sh IMAGE
set -euo pipefail
image=$1
work=$PWD/target/deploy
network=lrs-gateway-test
inside=10.213.7.2
fail() { echo "FAILED: $*" >&2; exit 1; }
ok() { echo "  ok: $*"; }

background=()

clean_up() {
    podman rm --force --ignore --time 2 lrs-demo lrs-any-user lrs-simulator lrs-served lrs-one lrs-two >/dev/null 2>&1 || true
    for process in "${background[@]}"; do kill "$process" 2>/dev/null || true; done
    ip netns delete $network 2>/dev/null || true
    ip link delete lrs-outside 2>/dev/null || true
}
trap clean_up EXIT
clean_up
rm -f "$work/no-containers"

# A network namespace, connected to this machine by a pair of interfaces.
ip netns add $network &&
    ip link add lrs-outside type veth peer name lrs-inside netns $network &&
    ip addr add 10.213.7.1/30 dev lrs-outside && ip link set lrs-outside up &&
    ip -n $network addr add $inside/30 dev lrs-inside && ip -n $network link set lrs-inside up && ip -n $network link set lo up ||
    { touch "$work/no-containers"; exit 1; }

run() { # NAME PODMAN_ARGUMENT... IMAGE PROGRAM_ARGUMENT...
    podman run --pull never --detach --name "$1" --network "ns:/run/netns/$network" --read-only --read-only-tmpfs=false --cap-drop ALL \
        --security-opt no-new-privileges --memory 256m "${@:2}" >"$work/$1.id" 2>"$work/$1.err"
}
wait_for() { # URL: waits until a request to it succeeds
    for _ in $(seq 100); do curl -sf -o /dev/null --max-time 2 "$1" && return; sleep 0.2; done
    return 1
}
status() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$@"; }
find_ana() { curl -s --max-time 10 "$1/v1/learners/find-by-uln" -H "Authorization: Bearer $2" -H 'Content-Type: application/json' -d '{"uln":"3000000126","givenName":"Ana","familyName":"O'\''Neill"}'; }
check_restrictions() { # NAME: checks the restrictions of the process in the kernel's process status
    local process status
    process=$(podman inspect --format '{{.State.Pid}}' "$1")
    status=$(cat "/proc/$process/status")
    grep -qE '^Uid:(\s+65532){4}$' <<<"$status" || fail "$1 runs as another user"
    grep -qE '^CapEff:\s+0+$' <<<"$status" && grep -qE '^CapBnd:\s+0+$' <<<"$status" || fail "$1 has capabilities"
    grep -qE '^NoNewPrivs:\s+1$' <<<"$status" || fail "$1 can gain privileges"
    grep -qE '^Seccomp:\s+2$' <<<"$status" || fail "$1 has no system call filter"
    awk '$5 == "/"' "/proc/$process/mountinfo" | grep -qE ' ro[, ]' || fail "$1 can write to its root file system"
    ok "$1: user 65532, no capabilities, no new privileges, system calls filtered, root file system read-only; $(awk '/^VmRSS/ {printf "%d MiB", $2 / 1024}' <<<"$status")"
}
stops_within() { # NAME SECONDS
    local started=$SECONDS
    podman stop --time 60 "$1" >/dev/null
    local code; code=$(podman inspect --format '{{.State.ExitCode}}' "$1")
    [ "$code" = 0 ] && [ $((SECONDS - started)) -le "$2" ] || fail "$1 exited with code $code after $((SECONDS - started)) s"
    ok "$1: exited with code 0, $((SECONDS - started)) s after SIGTERM"
}

# 1. `docker run IMAGE`: help. `docker run IMAGE demo`: the demonstration, also with a user that OpenShift could assign.
run lrs-demo "$image" demo --listen 0.0.0.0:8080 || { cat "$work/lrs-demo.err"; touch "$work/no-containers"; exit 1; }
wait_for http://$inside:8080/health/ready || { podman logs lrs-demo; fail "the demonstration is not ready"; }
check_restrictions lrs-demo
token=$(podman logs lrs-demo 2>/dev/null | sed -n '/^Token of a learning provider/{n;p}')
answer=$(find_ana http://$inside:8080 "$token")
grep -q '"outcome":"EXACT_MATCH"' <<<"$answer" || fail "the first call returned: $answer"
ok "the image runs the demonstration, and the first call from outside returns EXACT_MATCH"
stops_within lrs-demo 45
code=0
help=$(podman run --pull never --rm --network none --read-only --read-only-tmpfs=false --cap-drop ALL "$image" 2>&1) || code=$?
[ $code = 2 ] && grep -q '^Usage: lrs-gateway <COMMAND>' <<<"$help" || fail "without arguments, the exit code is $code: $help"
ok "without arguments, the image lists its commands and exits with code 2"
run lrs-any-user --user 1000680000:0 "$image" demo --listen 0.0.0.0:8080 || { cat "$work/lrs-any-user.err"; fail "the image does not start with another user"; }
wait_for http://$inside:8080/health/ready || { podman logs lrs-any-user; fail "the image does not run with another user"; }
ok "the image runs with user 1000680000 of group 0, as on OpenShift"
stops_within lrs-any-user 45

# 2. The chart's sandbox: its ConfigMap and Secrets, mounted at the same paths.
target/deploy/python/bin/python tests/deploy/unpack_sandbox.py "$work/sandbox"
run lrs-simulator "$image" simulate --listen 0.0.0.0:8081
mounts=()
for directory in config organisations issuers; do mounts+=(--volume "$work/sandbox/$directory:/etc/lrs-gateway/$directory:ro"); done
with_sandbox() { "$@" --add-host try-lrs-gateway-simulator:127.0.0.1 "${mounts[@]}" --env LRS_GATEWAY_CONFIG=/etc/lrs-gateway/config/gateway.toml "$image" "${arguments[@]}"; }
arguments=(check-config)
with_sandbox podman run --pull never --rm --network none --read-only --read-only-tmpfs=false --cap-drop ALL || fail "check-config rejects the chart's configuration"
# The audit trail is in a file of the pod on a volume of fsGroup, as with auditFile.enabled.
rm -rf "$work/audit" && mkdir -p "$work/audit" && chgrp 65532 "$work/audit" && chmod 2770 "$work/audit"
mounts+=(--volume "$work/audit:/var/log/lrs-gateway" --env LRS_GATEWAY__AUDIT__FILE=/var/log/lrs-gateway/pod-1.jsonl)
arguments=(serve --config /etc/lrs-gateway/config/gateway.toml)
with_sandbox run lrs-served || { cat "$work/lrs-served.err"; fail "the gateway does not start with the chart's configuration"; }
wait_for http://$inside:9090/health/ready || { podman logs lrs-served; fail "the admin port cannot be reached from outside"; }
check_restrictions lrs-served
[ "$(status http://$inside:9090/health/live)" = 200 ] || fail "/health/live does not return 200"
# The script of `helm test`, run from outside.
sed "s#http://try-lrs-gateway:8080#http://$inside:8080#" "$work/sandbox/helm-test.sh" | sh -e || fail "the script of helm test fails"
grep -q '^lrs_gateway_build_info' <<<"$(curl -s http://$inside:9090/metrics)" || fail "/metrics has no lrs_gateway_build_info"
ok "/metrics returns the metrics"
token=$(podman exec lrs-served lrs-gateway token --organisation 10088881 --user a.registrar)
answer=$(find_ana http://$inside:8080 "$token")
grep -q '"outcome":"EXACT_MATCH"' <<<"$answer" || { podman logs --tail 5 lrs-served; fail "a call in the chart's sandbox returned: $answer"; }
ok "the chart's configuration and secrets: check-config accepts them, and a call returns EXACT_MATCH"
[ "$(stat -c '%u %a' "$work/audit/pod-1.jsonl")" = "65532 600" ] && grep -q '"operation":"learnerByULN"' "$work/audit/pod-1.jsonl" || fail "the audit file is missing, empty or open: $(ls -l "$work/audit")"
ok "the audit trail is in a file of the pod, which only its user can read"
# An organisation is removed without a restart.
rm "$work/sandbox/organisations/10088881.toml"
refused=
for _ in $(seq 50); do
    find_ana http://$inside:8080 "$token" | grep -q organisation_not_registered && refused=yes && break
    sleep 0.2
done
[ "$refused" ] || { podman logs --tail 3 lrs-served; fail "a removed organisation is still registered"; }
ok "an organisation that is removed from the mounted directory is rejected within seconds, without a restart"
stops_within lrs-served 45

# 3. The services of compose.yaml: its configuration files, but with Redis and HAProxy of this machine instead of their public images.
redis=$(command -v redis-server) && proxy=$PWD/target/deploy/debian/usr/sbin/haproxy && [ -x "$proxy" ] || {
    echo "compose.yaml: checked, but not run, because redis-server or haproxy is not installed" | tee -a "$work/not-run"
    exit 0
}
echo "compose.yaml: its configuration was run with Redis and HAProxy from Debian packages instead of their public images" >>"$work/not-run"
in_network() { ip netns exec $network "$@" >"$work/${1##*/}.log" 2>&1 & background+=($!); }
# The settings of Redis are those of compose.yaml.
rm -rf "$work/redis" && mkdir -p "$work/redis"
in_network "$redis" --port 6379 --dir "$work/redis" --appendonly yes --maxmemory-policy noeviction
mkdir -p "$work/keys" && for key in store.key audit.key token.secret; do head -c 32 /dev/urandom | base64 >"$work/keys/$key"; done
chown -R 65532:65532 "$work/keys" && chmod 500 "$work/keys" && chmod 400 "$work"/keys/*
gateway() { # NAME PORT ADMIN_PORT
    run "$1" --add-host redis:127.0.0.1 --add-host simulator:127.0.0.1 --volume "$PWD/examples/compose:/etc/lrs-gateway:ro" --volume "$work/keys:/run/keys:ro" \
        --env "LRS_GATEWAY__SERVER__LISTEN=0.0.0.0:$2" --env "LRS_GATEWAY__SERVER__ADMIN_LISTEN=0.0.0.0:$3" "$image" serve
}
gateway lrs-one 8091 9091
gateway lrs-two 8092 9092
for port in 8091 8092; do wait_for http://$inside:$port/health/ready || { podman logs --tail 5 lrs-one; podman logs --tail 5 lrs-two; fail "a gateway with the configuration of compose.yaml is not ready"; }; done
# Docker would resolve the names of the gateways. Here, both gateways have the same address.
sed 's/^ *server-template .*/    server one 127.0.0.1:8091\n    server two 127.0.0.1:8092/; s/ resolvers compose init-addr [a-z,]*//' examples/compose/haproxy.cfg >"$work/haproxy.cfg"
LD_LIBRARY_PATH=$PWD/target/deploy/debian/usr/lib/$(uname -m)-linux-gnu in_network "$proxy" -f "$work/haproxy.cfg"
wait_for http://$inside:8080/health/ready || { cat "$work/haproxy.log"; fail "the proxy does not respond"; }
token=$(podman exec lrs-one lrs-gateway token --organisation 10088881 --user a.registrar)
batch='{"jobType":"CHECK","learners":[{"misIdentifier":"STU-1","givenName":"Gwenllian","familyName":"Briain","dateOfBirth":"2005-07-21","gender":"FEMALE","lastKnownPostCode":"ZZ7 7JJ","verificationType":"PASSPORT","abilityToShare":"SEEN_SHARE"}]}'
location=$(curl -s -D - -o /dev/null http://$inside:8080/v1/registration-batches -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$batch" | tr -d '\r' | sed -n 's/^location: //Ip')
[ -n "$location" ] || fail "a batch through the proxy was not accepted"
for port in 8091 8092; do [ "$(status -H "Authorization: Bearer $token" http://$inside:$port"$location")" = 200 ] || fail "the gateway on port $port does not have the batch"; done
podman kill --signal KILL lrs-one >/dev/null
for _ in $(seq 200); do
    state=$(curl -s --max-time 5 -H "Authorization: Bearer $token" http://$inside:8080"$location" | grep -o '"status":"[A-Z_]*"' | head -1)
    [ "$state" = '"status":"COMPLETE"' ] && break
    sleep 0.5
done
[ "$state" = '"status":"COMPLETE"' ] || { podman logs --tail 20 lrs-two; fail "the batch was not completed: $state"; }
ok "configuration of compose.yaml: both gateways have a batch that was submitted through the proxy; after one is killed, the other completes the batch"
