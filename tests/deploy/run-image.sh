#!/usr/bin/env bash
# Runs the image as strictly as Kubernetes would, in a network of its own, and calls it from outside.
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

end() {
    podman rm --force --ignore --time 2 lrs-demo lrs-simulator lrs-served lrs-one lrs-two >/dev/null 2>&1 || true
    for process in "${background[@]}"; do kill "$process" 2>/dev/null || true; done
    ip netns delete $network 2>/dev/null || true
    ip link delete lrs-outside 2>/dev/null || true
}
trap end EXIT
end
rm -f "$work/no-containers"

# A network that has this machine at its other end.
ip netns add $network &&
    ip link add lrs-outside type veth peer name lrs-inside netns $network &&
    ip addr add 10.213.7.1/30 dev lrs-outside && ip link set lrs-outside up &&
    ip -n $network addr add $inside/30 dev lrs-inside && ip -n $network link set lrs-inside up && ip -n $network link set lo up ||
    { touch "$work/no-containers"; exit 1; }

run() { # name, arguments of podman, image, arguments of the program
    podman run --pull never --detach --name "$1" --network "ns:/run/netns/$network" --read-only --read-only-tmpfs=false --cap-drop ALL \
        --security-opt no-new-privileges --memory 256m "${@:2}" >"$work/$1.id" 2>"$work/$1.err"
}
answers() { # url: waits until it answers
    for _ in $(seq 100); do curl -sf -o /dev/null --max-time 2 "$1" && return; sleep 0.2; done
    return 1
}
status() { curl -s -o /dev/null -w '%{http_code}' --max-time 10 "$@"; }
find_ana() { curl -s --max-time 10 "$1/v1/learners/find-by-uln" -H "Authorization: Bearer $2" -H 'Content-Type: application/json' -d '{"uln":"3000000126","givenName":"Ana","familyName":"O'\''Neill"}'; }
confined() { # name: what the kernel says about the process
    local process status
    process=$(podman inspect --format '{{.State.Pid}}' "$1")
    status=$(cat "/proc/$process/status")
    grep -qE '^Uid:(\s+65532){4}$' <<<"$status" || fail "$1 runs as somebody else"
    grep -qE '^CapEff:\s+0+$' <<<"$status" && grep -qE '^CapBnd:\s+0+$' <<<"$status" || fail "$1 has capabilities"
    grep -qE '^NoNewPrivs:\s+1$' <<<"$status" || fail "$1 could gain privileges"
    grep -qE '^Seccomp:\s+2$' <<<"$status" || fail "$1 may make any system call"
    awk '$5 == "/"' "/proc/$process/mountinfo" | grep -qE ' ro[, ]' || fail "$1 can write to its root"
    ok "$1: user 65532, no capabilities, no new privileges, system calls filtered, root read-only; $(awk '/^VmRSS/ {printf "%d MiB", $2 / 1024}' <<<"$status")"
}
ends() { # name, seconds
    local started=$SECONDS
    podman stop --time 60 "$1" >/dev/null
    local code; code=$(podman inspect --format '{{.State.ExitCode}}' "$1")
    [ "$code" = 0 ] && [ $((SECONDS - started)) -le "$2" ] || fail "$1 ended with $code after $((SECONDS - started)) s"
    ok "$1: ended by itself, $((SECONDS - started)) s after SIGTERM"
}

# 1. `docker run IMAGE`: the demonstration.
run lrs-demo "$image" || { cat "$work/lrs-demo.err"; touch "$work/no-containers"; exit 1; }
answers http://$inside:8080/health/ready || { podman logs lrs-demo; fail "the demonstration does not answer"; }
confined lrs-demo
token=$(podman logs lrs-demo 2>/dev/null | sed -n '/^Token of a learning provider/{n;p}')
answer=$(find_ana http://$inside:8080 "$token")
grep -q '"outcome":"EXACT_MATCH"' <<<"$answer" || fail "the first call: $answer"
ok "without arguments it is the demonstration; the first call, from outside: EXACT_MATCH"
ends lrs-demo 45

# 2. The chart's sandbox: its own ConfigMap and Secrets, mounted where it mounts them.
target/deploy/python/bin/python tests/deploy/unpack_sandbox.py "$work/sandbox"
run lrs-simulator "$image" simulate --listen 0.0.0.0:8081
mounts=()
for directory in config organisations issuers; do mounts+=(--volume "$work/sandbox/$directory:/etc/lrs-gateway/$directory:ro"); done
served() { "$@" --add-host try-lrs-gateway-simulator:127.0.0.1 "${mounts[@]}" --env LRS_GATEWAY_CONFIG=/etc/lrs-gateway/config/gateway.toml "$image" "${arguments[@]}"; }
arguments=(check-config)
served podman run --pull never --rm --network none --read-only --read-only-tmpfs=false --cap-drop ALL || fail "check-config refuses the chart's configuration"
arguments=(serve --config /etc/lrs-gateway/config/gateway.toml)
served run lrs-served || { cat "$work/lrs-served.err"; fail "it does not start"; }
answers http://$inside:9090/health/ready || { podman logs lrs-served; fail "the operators' port does not answer from outside"; }
confined lrs-served
[ "$(status http://$inside:9090/health/live)" = 200 ] || fail "health"
# What `helm test` asks, from here.
sed "s#http://try-lrs-gateway:8080#http://$inside:8080#" "$work/sandbox/helm-test.sh" | sh -e || fail "what helm test asks"
case $(status http://$inside:9090/metrics) in
    200) grep -q '^lrs_gateway_build_info' <<<"$(curl -s http://$inside:9090/metrics)" || fail "metrics without lrs_gateway_build_info"; ok "metrics" ;;
    *) echo "there are no metrics at /metrics yet" | tee -a "$work/not-run" ;;
esac
token=$(podman exec lrs-served lrs-gateway token --organisation 10088881 --user a.registrar)
answer=$(find_ana http://$inside:8080 "$token")
grep -q '"outcome":"EXACT_MATCH"' <<<"$answer" || { podman logs --tail 5 lrs-served; fail "a call through the chart's sandbox: $answer"; }
ok "the chart's configuration and secrets: check-config takes them, a call through them: EXACT_MATCH"
# An organisation goes: no restart.
rm "$work/sandbox/organisations/10088881.toml"
refused=
for _ in $(seq 50); do
    find_ana http://$inside:8080 "$token" | grep -q organisation_not_registered && refused=yes && break
    sleep 0.2
done
[ "$refused" ] || { podman logs --tail 3 lrs-served; fail "an organisation that is gone is still served"; }
ok "an organisation taken out of the mounted directory is refused within seconds, without a restart"
ends lrs-served 45

# 3. compose.yaml's stack, as far as it goes without its public images: its own configuration files, with this machine's Redis and HAProxy.
redis=$(command -v redis-server) && proxy=$PWD/target/deploy/debian/usr/sbin/haproxy && [ -x "$proxy" ] || {
    echo "compose.yaml was read but not run: there is no redis-server or no haproxy" | tee -a "$work/not-run"
    exit 0
}
echo "compose.yaml was not run as it is (no registry for Redis' and HAProxy's images): its configuration was, with Debian's Redis and HAProxy" >>"$work/not-run"
here() { ip netns exec $network "$@" >"$work/${1##*/}.log" 2>&1 & background+=($!); }
here "$redis" --port 6379 --save '' --appendonly no
mkdir -p "$work/keys" && for key in store.key audit.key token.secret; do head -c 32 /dev/urandom | base64 >"$work/keys/$key"; done
chown -R 65532:65532 "$work/keys" && chmod 500 "$work/keys" && chmod 400 "$work"/keys/*
gateway() { # name, port, operators' port
    run "$1" --add-host redis:127.0.0.1 --add-host simulator:127.0.0.1 --volume "$PWD/examples/compose:/etc/lrs-gateway:ro" --volume "$work/keys:/run/keys:ro" \
        --env "LRS_GATEWAY__SERVER__LISTEN=0.0.0.0:$2" --env "LRS_GATEWAY__SERVER__ADMIN_LISTEN=0.0.0.0:$3" "$image" serve
}
gateway lrs-one 8091 9091
gateway lrs-two 8092 9092
for port in 8091 8092; do answers http://$inside:$port/health/ready || { podman logs --tail 5 lrs-one; podman logs --tail 5 lrs-two; fail "a gateway of compose.yaml does not answer"; }; done
# Names are Docker's own there; here both gateways are on one address.
sed 's/^ *server-template .*/    server one 127.0.0.1:8091\n    server two 127.0.0.1:8092/; s/ resolvers compose init-addr [a-z,]*//' examples/compose/haproxy.cfg >"$work/haproxy.cfg"
LD_LIBRARY_PATH=$PWD/target/deploy/debian/usr/lib/$(uname -m)-linux-gnu here "$proxy" -f "$work/haproxy.cfg"
answers http://$inside:8080/health/ready || { cat "$work/haproxy.log"; fail "the proxy does not answer"; }
token=$(podman exec lrs-one lrs-gateway token --organisation 10088881 --user a.registrar)
batch='{"jobType":"CHECK","learners":[{"misIdentifier":"STU-1","givenName":"Gwenllian","familyName":"Briain","dateOfBirth":"2005-07-21","gender":"FEMALE","lastKnownPostCode":"ZZ7 7JJ","verificationType":"PASSPORT","abilityToShare":"SEEN_SHARE"}]}'
location=$(curl -s -D - -o /dev/null http://$inside:8080/v1/registration-batches -H "Authorization: Bearer $token" -H 'Content-Type: application/json' -d "$batch" | tr -d '\r' | sed -n 's/^location: //Ip')
[ -n "$location" ] || fail "a batch through the proxy was not accepted"
for port in 8091 8092; do [ "$(status -H "Authorization: Bearer $token" http://$inside:$port"$location")" = 200 ] || fail "the gateway at $port does not know the batch"; done
podman kill --signal KILL lrs-one >/dev/null
for _ in $(seq 200); do
    state=$(curl -s --max-time 5 -H "Authorization: Bearer $token" http://$inside:8080"$location" | grep -o '"status":"[A-Z_]*"' | head -1)
    [ "$state" = '"status":"COMPLETE"' ] && break
    sleep 0.5
done
[ "$state" = '"status":"COMPLETE"' ] || { podman logs --tail 20 lrs-two; fail "the batch did not get to its end: $state"; }
ok "compose.yaml's configuration: a batch through the proxy, known to both gateways; one is killed, the other brings it to its end"
