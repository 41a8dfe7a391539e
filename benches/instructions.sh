#!/usr/bin/env bash
# Instructions per call of each benchmark: two runs under callgrind with different counts, so that start-up cancels out.
set -euo pipefail
cd "$(dirname "$0")/.."
binary() { # binary FILE
    cargo bench --bench "$1" --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"name":"'"$1"'".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}
count() { # count BINARY BENCHMARK CALLS
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" --bench "$2" --sample-count 1 --sample-size "$3" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
printf '%-40s %s\n' benchmark 'instructions per call'
of() { # of FILE BENCHMARK...
    local binary few many
    binary=$(binary "$1")
    for benchmark in "${@:2}"; do
        few=$(count "$binary" "$benchmark" 100)
        many=$(count "$binary" "$benchmark" 1100)
        printf '%-40s %s\n' "$benchmark" $(((many - few) / 1000))
    done
}
of hot_path write_find_by_uln write_find_by_demographics read_exact_match read_ten_candidates verify_token_hs256
of limits count_a_call_in_memory count_a_call_in_redis ping_redis remember_a_key_in_memory
