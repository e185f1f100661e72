import path from 'node:path';

/** What a row may measure. Each is a column or a line of the table. */
export type Name =
  | 'shmkit'
  | 'C'
  | 'CPython'
  | 'CPython, with'
  | 'CPython, lock=False'
  | 'ems'
  | 'lmdb'
  | 'redis'
  | 'shmkit, 1000 keys'
  | 'shmkit, no writer'
  | 'Map'
  | 'msgpackr'
  | 'ordinary memory'
  | 'shmkit, in the dict'
  | 'shmkit, sealed'
  | 'shmkit, again'
  | 'shmkit, sharing'
  | 'child.send'
  | 'child.send, JSON'
  | 'workerpool'
  | 'jest-worker'
  | 'postMessage'
  | 'postMessage, transfer'
  | 'SharedArrayBuffer'
  | 'file'
  | 'CPython, Pool'
  | 'CPython, SharedMemory'
  | 'empty module';

/** The tool that runs a contender. */
export type Tool = 'node' | 'cc' | 'python3' | 'numpy' | 'ems' | 'lmdb' | 'redis';

/** A program that does a row's work and prints the nanoseconds that one operation took. */
export interface Contender {
  readonly tool: Tool;
  readonly args: readonly string[];
  /** How many processes make one sample, which is their median. Default: 1. */
  readonly processes?: number;
}

export type Contenders = Readonly<Partial<Record<Name, Contender>>>;

/**
 * The prefix of the names that programs create. It is used to find what a killed program has left behind.
 */
export const prefix = `shmkit-bench-${process.pid}`;

/** The directory for build results and written files. */
export const outDirectory = path.join(__dirname, '..', 'out', 'bench');

/** The directory with the installed packages that the library is compared with. */
export const packagesDirectory = path.join(__dirname, 'packages');

/** A program of bench/children, which gets the prefix through its environment. */
export function node(child: string, ...args: (string | number)[]): Contender {
  const file = path.join(outDirectory, 'children', `${child}.js`);
  return { tool: 'node', args: [file, ...args.map(String)] };
}

/** A row of bench/baseline. */
export function c(row: string, count: number): Contender {
  return { tool: 'cc', args: [row, String(count), prefix] };
}

/** A row of peers.py. */
export function python(row: string, count: number): Contender {
  return {
    tool: 'python3',
    args: [path.join(__dirname, 'peers.py'), row, String(count), prefix],
  };
}

/** A row of peers.py that needs numpy. */
export function numpy(row: string, count: number): Contender {
  return { ...python(row, count), tool: 'numpy' };
}

/** An operation of the npm package ems, which has its own child program. */
export function ems(operation: string, count: number): Contender {
  return { ...node('peers/ems', packagesDirectory, operation, count), tool: 'ems' };
}

/** A store of another package, which does what dict.ts does with other stores. */
export function store(
  tool: 'lmdb' | 'ems' | 'redis',
  way: string,
  type: string,
  keys: number,
  count: number,
): Contender {
  return { ...node('structures/dict', way, type, tool, keys, count, packagesDirectory), tool };
}

/** lmdb while another process writes; see dict-beside.ts. */
export function lmdbBeside(keys: number, count: number): Contender {
  const args = ['lmdb', keys, count, 'written', packagesDirectory];
  return { ...node('structures/dict-beside', ...args), tool: 'lmdb' };
}
