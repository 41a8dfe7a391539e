#!/usr/bin/env bash
# Runs `make test-deploy`: renders and checks the chart, checks the Dockerfile, builds and runs the image. At the end it lists the tests
# that could not run on this machine. `run.sh chart` and `run.sh image` run one part each.
set -euo pipefail
cd "$(dirname "$0")/../.."
part=${1:-all}
mkdir -p target/deploy
: >target/deploy/not-run
tests/deploy/tools.sh "$part"
bin=$PWD/target/deploy/python/bin
step() { printf '\n== %s\n' "$*"; }

if [ "$part" != image ]; then
    step "Chart: all values files and all switches"
    "$bin/python" tests/deploy/chart.py

    echo "chart: rendered and checked, but not installed, because there is no cluster (helm install, helm test, scaling, network policies)" >>target/deploy/not-run
    echo "ServiceMonitor, PrometheusRule and HTTPRoute: checked by tests, but not against schemas, which belong to the Prometheus operator and the Gateway API" >>target/deploy/not-run

    step "Security scan of the rendered chart and the Dockerfile"
    rendered=target/deploy/rendered
    rm -rf $rendered && mkdir -p $rendered/release $rendered/test $rendered/openshift
    for values in helm/lrs-gateway/ci/*-values.yaml helm/lrs-gateway/ci/image.yaml; do
        template=("$bin/helm" template release helm/lrs-gateway --namespace lrs -f "$values")
        case $values in
        *openshift*) "${template[@]}" --skip-tests >"$rendered/openshift/$(basename "$values")" ;;
        *)
            "${template[@]}" --skip-tests >"$rendered/release/$(basename "$values")"
            "${template[@]}" -s templates/tests/answers.yaml >"$rendered/test/$(basename "$values")"
            ;;
        esac
    done
    scan() { "$bin/checkov" --config-file tests/deploy/checkov.yaml "$@"; }
    scan --framework kubernetes -d $rendered/release
    # The pod of `helm test` runs once and serves no requests, so it needs no probes and no network policy.
    exceptions=$(sed -n 's/^  - //p' tests/deploy/checkov.yaml | paste -sd,)
    scan --framework kubernetes -d $rendered/test --skip-check "$exceptions,CKV_K8S_8,CKV_K8S_9,CKV2_K8S_6"
    # OpenShift assigns a user with a high number. The values must not set one.
    scan --framework kubernetes -d $rendered/openshift --skip-check "$exceptions,CKV_K8S_40"
    scan --framework dockerfile -f Dockerfile

    step "Dockerfile"
    "$bin/hadolint" Dockerfile
    echo "hadolint: no findings"

    step "compose.yaml"
    "$bin/check-jsonschema" --builtin-schema vendor.compose-spec compose.yaml
    haproxy=target/deploy/debian/usr/sbin/haproxy
    if [ -x "$haproxy" ]; then
        LD_LIBRARY_PATH=target/deploy/debian/usr/lib/$(uname -m)-linux-gnu "$haproxy" -c -f examples/compose/haproxy.cfg
    fi

    step "Alerts: each alert fires under its conditions"
    promtool=target/deploy/debian/usr/bin/promtool
    if [ -x "$promtool" ]; then
        cp helm/lrs-gateway/files/alerts.yaml tests/deploy/alerts.test.yaml target/deploy/
        "$promtool" check rules target/deploy/alerts.yaml
        "$promtool" test rules target/deploy/alerts.test.yaml
        # The same check for the queries of the dashboard.
        "$bin/python" tests/deploy/dashboard_as_rules.py >target/deploy/dashboard-rules.yaml
        "$promtool" check rules target/deploy/dashboard-rules.yaml
    fi
fi

if [ "$part" != chart ]; then
    step "Image"
    tests/deploy/image.sh
fi

if [ -s target/deploy/not-run ]; then
    step "Not run on this machine"
    sort -u target/deploy/not-run
else
    step "All tests were run"
fi
