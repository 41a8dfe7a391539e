#!/usr/bin/env bash
# What `make test-deploy` does: the chart is rendered and judged, the Dockerfile read, the image built and run. At the end it says
# what could not be done on this machine. `run.sh chart` and `run.sh image` do one half.
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-all}
mkdir -p target/deploy
: >target/deploy/not-run
tests/deploy/tools.sh
bin=$PWD/target/deploy/python/bin
step() { printf '\n== %s\n' "$*"; }

if [ "$what" != image ]; then
    step "The chart: every values file and every switch"
    "$bin/python" tests/deploy/chart.py

    echo "the chart was rendered and judged, not installed: there is no cluster here (helm install, helm test, scaling, network policies)" >>target/deploy/not-run
    echo "ServiceMonitor and PrometheusRule were checked by hand-written tests and promtool only: their schemas belong to the Prometheus operator" >>target/deploy/not-run

    step "Security scan of what the chart renders, and of the Dockerfile"
    rendered=target/deploy/rendered
    rm -rf $rendered && mkdir -p $rendered/release $rendered/test
    for values in helm/lrs-gateway/ci/*-values.yaml helm/lrs-gateway/values.yaml; do
        template=("$bin/helm" template release helm/lrs-gateway --namespace lrs -f "$values")
        "${template[@]}" --skip-tests >"$rendered/release/$(basename "$values")"
        "${template[@]}" -s templates/tests/answers.yaml >"$rendered/test/$(basename "$values")"
    done
    scan() { "$bin/checkov" --config-file tests/deploy/checkov.yaml "$@"; }
    scan --framework kubernetes -d $rendered/release
    # The pod of `helm test` runs once and ends: nothing probes it, and nothing calls it.
    exceptions=$(sed -n 's/^  - //p' tests/deploy/checkov.yaml | paste -sd,)
    scan --framework kubernetes -d $rendered/test --skip-check "$exceptions,CKV_K8S_8,CKV_K8S_9,CKV2_K8S_6"
    scan --framework dockerfile -f Dockerfile

    step "Dockerfile"
    "$bin/hadolint" Dockerfile
    echo "hadolint has nothing to say"

    step "compose.yaml"
    "$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
    haproxy=target/deploy/debian/usr/sbin/haproxy
    if [ -x "$haproxy" ]; then
        LD_LIBRARY_PATH=target/deploy/debian/usr/lib/$(uname -m)-linux-gnu "$haproxy" -c -f examples/compose/haproxy.cfg
    fi

    step "Alerts: each of them fires when it should"
    promtool=target/deploy/debian/usr/bin/promtool
    if [ -x "$promtool" ]; then
        cp helm/lrs-gateway/files/alerts.yaml tests/deploy/alerts.test.yaml target/deploy/
        "$promtool" check rules target/deploy/alerts.yaml
        "$promtool" test rules target/deploy/alerts.test.yaml
        # Queries of the dashboard are queries too.
        "$bin/python" tests/deploy/dashboard_as_rules.py >target/deploy/dashboard-rules.yaml
        "$promtool" check rules target/deploy/dashboard-rules.yaml
    fi
fi

if [ "$what" != chart ]; then
    step "The image"
    tests/deploy/image.sh
fi

if [ -s target/deploy/not-run ]; then
    step "Could not be run here"
    sort -u target/deploy/not-run
else
    step "All was run"
fi
