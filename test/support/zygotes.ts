// Starts zygotes (test/fixtures/zygotes/zygote.ts), and lets them spend lives on objects that are created
// here.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Account, Batch, KindName } from '../fixtures/zygotes/zygote';
import type { DictRules } from '../fixtures/zygotes/dict';
import { start, type Child } from './children';

const headers = path.resolve('node_modules', 'node-api-headers', 'include');
const compiler = process.env.CC ?? 'cc';

/** The addon that a zygote forks with, if it was compiled elsewhere. */
const compiled = process.env.SHMKIT_FORKING;

/** The reason why there can be no zygotes here, or undefined when they are possible. */
export const whyNoZygotes = ((): string | undefined => {
  if (process.platform !== 'linux') return 'needs Linux: a process that forks';
  if (compiled !== undefined) return undefined;
  if (spawnSync(compiler, ['--version']).status !== 0) return `needs a C compiler: ${compiler}`;
  return undefined;
})();

/** The addon that a zygote forks with. It is compiled here, unless it was compiled elsewhere. */
export function compileForking(): string {
  if (compiled !== undefined) return compiled;
  const addon = path.resolve('out', 'forking.node');
  mkdirSync(path.dirname(addon), { recursive: true });
  const { status, stderr } = spawnSync(
    compiler,
    [
      ...['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'],
      ...['-I', headers, '-o', addon, 'test/native/fork.c'],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${compiler} failed\n${stderr}`);
  return addon;
}

/** Only dicts use these rules. */
const noRules: DictRules = { evicts: false, expires: false, isNamespace: false };

export class Zygotes {
  readonly #all: readonly Child[];

  private constructor(all: readonly Child[]) {
    this.#all = all;
  }

  /** Resolves when the zygotes are loaded and warm. */
  static async start(
    addon: string,
    count: number,
    kind: KindName,
    rules: Partial<DictRules>,
  ): Promise<Zygotes> {
    // The engine must have no threads besides its main thread, because a forked child has only that one.
    const execArgv = ['--single-threaded', '--v8-pool-size=0', '--expose-gc'];
    const all = Array.from({ length: count }, (_, who) =>
      start('zygotes/zygote', [addon, kind, who, { ...noRules, ...rules }], { execArgv }),
    );
    for (const child of all) await child.hear();
    return new Zygotes(all);
  }

  /** Lets all zygotes spend a batch of lives at the same time. */
  async spend(batchOf: (who: number) => Batch): Promise<Account[]> {
    for (const [who, child] of this.#all.entries()) child.tell(batchOf(who));
    return Promise.all(this.#all.map((child) => child.hear<Account>()));
  }

  async end(): Promise<void> {
    for (const child of this.#all) child.process.stdin!.end();
    for (const child of this.#all) await child.succeed();
  }
}
