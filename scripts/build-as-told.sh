#!/usr/bin/env bash
# In a project whose shmkit has no addon: does what loading says then, and tries whether that helped.
#
#   scripts/build-as-told.sh PROJECT    one that scripts/packed-project.sh made
set -euo pipefail
# Node's headers, where its installation has them, are not fetched again.
prefix=$(cd "$(dirname "$(command -v node)")/.." && pwd)
if [ -f "$prefix/include/node/common.gypi" ]; then export npm_config_nodedir=$prefix; fi

cd "$1"
told=$(node -e 'try { require("shmkit"); } catch (error) { console.log(error.message); }')
printf '%s\n' "$told"
[[ $told == *'to build one: '* ]]
bash -euo pipefail -c "${told##*to build one: }"
node require.cjs
