#!/usr/bin/env bash
# Makes a project in which the packed package is installed, with install scripts blocked, and adds programs
# that use it: scripts/packed-project.sh DIRECTORY [OPTION OF npm install ...]
set -euo pipefail
cd "$(dirname "$0")/.."
project=$1; shift
rm -rf "$project" && mkdir -p "$project"
npm pack --loglevel=error --pack-destination "$project" > /dev/null
cp test/packed/* "$project"
cd "$project"
npm init -y > /dev/null
npm install --loglevel=error --ignore-scripts --no-audit --no-fund "$@" ./shmkit-*.tgz > /dev/null
