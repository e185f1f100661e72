// Overwrites bytes and words of a live structure while others use it, and reports what happened to the
// users.
import { closeSync, openSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomNumbers } from '../fixtures/structure/random';
import { start } from './children';
import { dataAt } from './words';

export interface Attack {
  readonly kind: 'dict' | 'list' | 'queue';
  readonly name: string;
  /** The range of the data that is overwritten. */
  readonly from: number;
  readonly to: number;
  readonly milliseconds: number;
  /** Codes of errors that users may get at any operation. */
  readonly known: readonly string[];
}

interface Account {
  readonly turns: number;
  readonly codes: Readonly<Record<string, number>>;
  readonly slowest: number;
}

/** Two users in the role of a fixture keep working, from the beginning to the end of the attack. */
export async function vandalize({ kind, name, from, to, milliseconds, known }: Attack) {
  const users = [1, 2].map((seed) => start(`${kind}/fuzzed`, [name, seed, milliseconds]));
  for (const user of users) expect(await user.hear()).toBe('ready');
  const fd = openSync(`/dev/shm/shmkit.${kind}.${name}`, 'r+');
  const word = Buffer.alloc(4);
  // The header is left out, because the C library's mutex is in it.
  const begin = dataAt(fd);
  const random = randomNumbers(42);
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    for (let i = 0; i < 5; i++) {
      const at = begin + from + random(to - from);
      const length = random(2) === 0 ? 1 : 4;
      word.writeUInt32LE(random(3) === 0 ? random(2 ** 32) : random(70_000) >>> random(16));
      writeSync(fd, word, 0, length, length === 4 ? at & ~3 : at);
    }
    await turn();
  }
  closeSync(fd);
  for (const user of users) {
    const account = await user.hear<Account>();
    console.log(account);
    const isKnown = (code: string) => known.includes(code.replace(/^anew: /, ''));
    expect(Object.keys(account.codes).filter((code) => !isKnown(code))).toEqual([]);
    expect(account.turns).toBeGreaterThan(100);
    await user.succeed();
  }
}
