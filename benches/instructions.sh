#!/usr/bin/env bash
# Measures the instructions per call of each benchmark. Each benchmark runs twice under callgrind with different numbers of calls, so that
# the instructions of the start cancel out.
set -euo pipefail
cd "$(dirname "$0")/.."
build() { # FILE: builds the benchmarks of a file and prints the path of the program
    cargo bench --bench "$1" --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
count() { # PROGRAM BENCHMARK CALLS: prints the number of instructions
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" --bench "$2" --sample-count 1 --sample-size "$3" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
printf '%-40s %s\n' benchmark 'instructions per call'
measure() { # FILE BENCHMARK...
    local program few many
    program=$(build "$1")
    for benchmark in "${@:2}"; do
        few=$(count "$program" "$benchmark" 100)
        many=$(count "$program" "$benchmark" 1100)
        # Without calls, both runs have nearly the same number of instructions: the name of the benchmark is wrong.
        [ $((many - few)) -ge 1000 ] || { echo "$benchmark: not measured" >&2; exit 1; }
        printf '%-40s %s\n' "$benchmark" $(((many - few) / 1000))
    done
}
measure hot_path write_find_by_uln write_find_by_demographics read_exact_match read_ten_candidates read_request_find_by_uln read_request_registration read_request_batch_record read_request_achievement verify_token_hs256
measure limits rate_limit_call_in_memory rate_limit_call_in_redis ping_redis idempotency_key_in_memory
