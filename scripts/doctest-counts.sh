#!/usr/bin/env bash
# Prints how many of doctest's cases passed and failed, as two numbers. They are the sums of all lines like
# "[doctest] test cases: 22 | 22 passed | 0 failed | 177 skipped" in the file LOG:
# scripts/doctest-counts.sh LOG
set -euo pipefail
sed 's/\x1b\[[0-9;]*m//g' "$1" |
  awk -F '|' '/^\[doctest\] test cases:/ { passed += $2; failed += $3 } END { print passed + 0, failed + 0 }'
