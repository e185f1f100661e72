import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { median } from 'simple-statistics';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { outDirectory, packagesDirectory, prefix, type Contender, type Tool } from './contenders';

const root = path.join(__dirname, '..');
const baseline = path.join(outDirectory, 'baseline');
export const emptyModule = path.join(outDirectory, 'empty.js');

/** A limit for hangs. No contender takes nearly as long. */
const watchdogMs = 300_000;

/** How to start a tool, or why it is missing. */
export type Found =
  { readonly command: string; readonly version: string } | { readonly missing: string };

export type Tools = Readonly<Record<Tool, Found>>;

/**
 * Builds the programs and looks for Python and for packages. A missing tool is reported, and its contenders
 * are left out.
 */
export function findTools(): Tools {
  mkdirSync(outDirectory, { recursive: true });
  writeFileSync(emptyModule, '');
  compileChildren();
  return {
    node: { command: process.execPath, version: process.version },
    cc: compileBaseline(),
    python3: findPython(),
    numpy: findNumpy(),
    ems: findPackage('ems'),
    lmdb: findPackage('lmdb'),
    redis: findRedis(),
  };
}

/**
 * The children are compiled in advance. With the compiler in its heap, a process would spend time on
 * collecting it.
 */
function compileChildren(): void {
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2022 };
  const directory = path.join(__dirname, 'children');
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = readFileSync(path.join(directory, file), 'utf8');
    const { outputText } = transpileModule(source, { compilerOptions });
    const built = path.join(outDirectory, 'children', file.replace(/ts$/, 'js'));
    mkdirSync(path.dirname(built), { recursive: true });
    writeFileSync(built, outputText);
  }
}

function compileBaseline(): Found {
  if (process.platform !== 'linux') {
    return { missing: 'bench/baseline is written for Linux' };
  }
  const directory = path.join(__dirname, 'baseline');
  const sources = readdirSync(directory)
    .filter((file) => file.endsWith('.c'))
    .map((file) => path.join(directory, file));
  try {
    execFileSync('cc', ['-O2', '-pthread', '-o', baseline, ...sources], { stdio: 'pipe' });
    return { command: baseline, version: firstLine('cc') };
  } catch (error) {
    return { missing: `cc does not build bench/baseline: ${reason(error)}` };
  }
}

function findPython(): Found {
  try {
    return { command: 'python3', version: firstLine('python3') };
  } catch (error) {
    return { missing: `python3 does not run: ${reason(error)}` };
  }
}

function findNumpy(): Found {
  try {
    const program = 'import numpy; print(numpy.__version__)';
    const version = execFileSync('python3', ['-c', program], { encoding: 'utf8', stdio: 'pipe' });
    return { command: 'python3', version: version.trim() };
  } catch {
    return { missing: 'numpy is not installed for python3' };
  }
}

/**
 * ems compiles itself when it is installed. So these packages are not among the devDependencies, which must
 * also be installable where there is no compiler.
 */
function findPackage(name: string): Found {
  if (process.platform === 'win32') return { missing: `${name} is measured on POSIX systems` };
  try {
    const require = createRequire(path.join(packagesDirectory, 'package.json'));
    require(name);
    const manifest = path.join(packagesDirectory, 'node_modules', name, 'package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    return { command: process.execPath, version };
  } catch (error) {
    const [line] = reason(error).split('\n', 1);
    return {
      missing: `${name} does not load (npm ci --prefix bench/packages installs it): ${line ?? ''}`,
    };
  }
}

/** The server is Debian's redis-server, or another program of that name. */
function findRedis(): Found {
  const client = findPackage('redis');
  if ('missing' in client) return client;
  try {
    return { ...client, version: `${client.version}, ${firstLine('redis-server')}` };
  } catch (error) {
    return { missing: `redis-server does not run: ${reason(error)}` };
  }
}

function firstLine(command: string): string {
  const output = execFileSync(command, ['--version'], { encoding: 'utf8', stdio: 'pipe' });
  return output.split('\n', 1)[0] ?? '';
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message.trim() : String(error);
}

/** One sample: the nanoseconds that a contender prints. */
export async function sample(
  command: string,
  { args, processes = 1 }: Contender,
  signal: AbortSignal,
): Promise<number> {
  const samples: number[] = [];
  while (samples.length < processes) samples.push(await run(command, args, signal));
  return median(samples);
}

async function run(command: string, args: readonly string[], signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  // A process group of its own, so that everything that the contender started can be ended together with
  // it.
  const child = spawn(command, args, {
    cwd: root,
    detached: true,
    env: { ...process.env, SHMKIT_BENCH_PREFIX: prefix },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => endGroup(child.pid);
  const watchdog = setTimeout(end, watchdogMs);
  signal.addEventListener('abort', end);
  try {
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
    signal.throwIfAborted();
    const nanoseconds = Number(output.trim() || NaN);
    if (child.exitCode === 0 && Number.isFinite(nanoseconds)) return nanoseconds;
    throw new Error(
      `ended with ${child.signalCode ?? child.exitCode ?? '?'} and printed ${JSON.stringify(output)}`,
    );
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', end);
    end();
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // No process of the group is left.
  }
}
