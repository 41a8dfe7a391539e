#!/usr/bin/env bash
# Instructions per call of each benchmark: two runs under callgrind with different counts, so that start-up cancels out.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(cargo bench --bench hot_path --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"hot_path".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
count() { # count BENCHMARK CALLS
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" --bench "$1" --sample-count 1 --sample-size "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
printf '%-40s %s\n' benchmark 'instructions per call'
for benchmark in write_find_by_uln write_find_by_demographics read_exact_match read_ten_candidates \
    verify_token_hs256; do
    few=$(count "$benchmark" 100)
    many=$(count "$benchmark" 1100)
    printf '%-40s %s\n' "$benchmark" $(((many - few) / 1000))
done
