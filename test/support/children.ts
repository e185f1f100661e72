// Child programs, which take the roles in test/fixtures. The communication is in lines of JSON: the test
// reads what a child prints, and writes to the child's standard input.
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { onWindows } from './system';

const fixtures = path.resolve('out', 'fixtures');

export type Way = 'fork' | 'spawn';

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** How a process ends that kills itself. On Windows such a process exits with 1. */
export const killedItself: Exit = onWindows
  ? { code: 1, signal: null }
  : { code: null, signal: 'SIGKILL' };

interface StartOptions {
  way?: Way;
  execArgv?: string[];
  env?: NodeJS.ProcessEnv;
  uid?: number;
  /** A program and its arguments to run node under, such as `unshare`. */
  under?: string[];
}

const running = new Set<Child>();

/** Kills the children that a test has left. */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map((child) => child.kill()));
}

export class Child {
  readonly process: ChildProcess;
  readonly exit: Promise<Exit>;
  #heard: unknown[] = [];
  #listeners: (() => void)[] = [];
  #ended = false;
  #errors = '';

  constructor(process: ChildProcess) {
    this.process = process;
    running.add(this);
    createInterface({ input: process.stdout! }).on('line', (line) => {
      this.#heard.push(JSON.parse(line));
      this.#notify();
    });
    process.stderr!.on('data', (text) => (this.#errors += String(text)));
    this.exit = once(process, 'close').then(([code, signal]: unknown[]) => {
      running.delete(this);
      this.#ended = true;
      this.#notify();
      return { code: code as Exit['code'], signal: signal as Exit['signal'] };
    });
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Resolves with the next message of the child. */
  async hear<T = unknown>(): Promise<T> {
    while (this.#heard.length === 0) {
      if (this.#ended) throw new Error(`the child ended without a word\n${this.#errors}`);
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
    return this.#heard.shift() as T;
  }

  /** Resolves with all remaining messages of the child, when it has ended. */
  async hearAll(): Promise<unknown[]> {
    await this.exit;
    return this.#heard.splice(0);
  }

  tell(what: unknown): void {
    this.process.stdin!.write(`${JSON.stringify(what)}\n`);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    this.process.kill(signal);
    return this.exit;
  }

  /** Waits for the end. Throws with the child's error output unless the child ended well. */
  async succeed(): Promise<void> {
    const { code, signal } = await this.exit;
    if (code !== 0) throw new Error(`the child ended with ${signal ?? code}\n${this.#errors}`);
  }

  #notify(): void {
    for (const listener of this.#listeners.splice(0)) listener();
  }
}

/** Starts a fixture as a separate process. */
export function start(fixture: string, args: unknown[] = [], options: StartOptions = {}): Child {
  const { way = 'spawn', execArgv = [], env, uid, under = [] } = options;
  const program = path.join(fixtures, `${fixture}.js`);
  const words = args.map((arg) => JSON.stringify(arg));
  const common = { env: { ...process.env, ...env }, ...(uid !== undefined && { uid, gid: uid }) };
  if (way === 'fork') {
    return new Child(fork(program, words, { ...common, execArgv, silent: true }));
  }
  const [command, ...rest] = [...under, process.execPath, ...execArgv, program, ...words];
  return new Child(spawn(command!, rest, { ...common, stdio: 'pipe' }));
}

export function fixturePath(fixture: string): string {
  return path.join(fixtures, `${fixture}.js`);
}
