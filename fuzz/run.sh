#!/usr/bin/env bash
# Builds every fuzz target, or those of FUZZ_TARGETS, and runs each for FUZZ_SECONDS. Prints executions, coverage and findings. Fails if
# there is a finding: `fuzz/artifacts/` then has the input, and `fuzz/found/<target>.log` says what is wrong with it.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
targets=${FUZZ_TARGETS:-lrs_response request_body http_request token certificate settings xml_tokens}
# Without a sanitizer, the instrumentation needs only options of the stable compiler. The code has no unsafe block for a sanitizer to look
# at. `cfg(fuzzing)` would change what some libraries do.
options=(--sanitizer none --no-cfg-fuzzing)
mkdir -p fuzz/found
for target in $targets; do
    cargo fuzz build "${options[@]}" "$target"
done

# libFuzzer ends a target at the first input that panics, takes longer than 10 s, or needs more than 1 GiB, or 256 MiB at once.
limits=(-timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=16384)
rows="" findings=0
for target in $targets; do
    log=fuzz/found/$target.log
    mkdir -p "fuzz/found/$target"
    # New inputs go to the first directory. The committed corpus stays as it is.
    result="no finding"
    cargo fuzz run "${options[@]}" "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
        "${limits[@]}" -max_total_time="$seconds" -dict="fuzz/dictionaries/$target.dict" -print_final_stats=1 >"$log" 2>&1 || {
        result="FINDING, see $log"
        findings=$((findings + 1))
    }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
    coverage=$(grep -aoE 'cov: [0-9]+ ft: [0-9]+ corp: [0-9]+' "$log" | tail -n 1 | awk '{ print $2 " | " $4 " | " $6 }' || true)
    rows+="| $target | ${executions:-0} | ${coverage:- | | } | $result |"$'\n'
done
printf '| target | executions | edges (cov) | features (ft) | inputs | result |\n|---|---|---|---|---|---|\n%s' "$rows"
exit $((findings > 0))
