#!/usr/bin/env bash
# Prints how many tests passed, failed and were skipped, as three numbers, from the last line of vitest's
# output like "Tests  1 failed | 2 passed | 3 skipped (6)" in the file LOG: scripts/vitest-counts.sh LOG
set -euo pipefail
line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -aE '^ +Tests +' | tail -n 1 || true)
number() { grep -oE "[0-9]+ $1" <<< "$line" | grep -oE '[0-9]+' || echo 0; }
echo "$(number passed) $(number failed) $(number skipped)"
