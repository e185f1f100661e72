// Bytes and words of a live list are overwritten while others read and write: no crash, no endless
// loop, ERR_CORRUPT or a wrong value at worst.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { SharedList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { uniqueName } from '../support/names';
import { randomNumbers } from '../support/structures';

describe.runIf(process.platform === 'linux')('a list whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 120_000],
    ['in its own words and log', 8, 10_500],
    ['in its own words alone', 1880, 2000],
    ['in its elements', 10_500, 120_000],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const list = SharedList.create({ name: uniqueName('list'), capacity: 1 << 18 });
    for (let i = 0; i < 400; i++) list.push(i % 3 === 0 ? { i } : i);
    const milliseconds = 4000;
    const users = [1, 2].map((seed) => start('list-fuzzed', [list.name, seed, milliseconds]));
    for (const user of users) expect(await user.hear()).toBe('ready');
    const fd = openSync(`/dev/shm/shmkit.list.${list.name}`, 'r+');
    const word = Buffer.alloc(4);
    readSync(fd, word, 0, 4, 12);
    // Not the header: the C library's mutex is in it.
    const dataAt = word.readUInt32LE(0);
    const random = randomNumbers(42);
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      for (let i = 0; i < 5; i++) {
        const at = dataAt + from + random(to - from);
        const length = random(2) === 0 ? 1 : 4;
        word.writeUInt32LE(random(3) === 0 ? random(2 ** 32) : random(70_000) >>> random(16));
        // The word that says how far memory reaches promises memory that is not there, and ends
        // whoever believes it, if the file system is full: that is the system's to do.
        if (at - dataAt >= 8) writeSync(fd, word, 0, length, length === 4 ? at & ~3 : at);
      }
      await turn();
    }
    closeSync(fd);
    for (const user of users) {
      const { turns, codes, slowest } = await user.hear<{
        turns: number;
        codes: Record<string, number>;
        slowest: number;
      }>();
      console.log({ turns, codes, slowest });
      const known = ['ERR_CORRUPT', 'ERR_CAPACITY', 'ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE'];
      const isKnown = (code: string) => known.includes(code.replace(/^anew: /, ''));
      expect(Object.keys(codes).filter((code) => !isKnown(code))).toEqual([]);
      expect(turns).toBeGreaterThan(100);
      await user.succeed();
    }
    list.clear();
    list.push(1, 'a text that is new');
    expect(list.toArray()).toEqual([1, 'a text that is new']);
    list.unlink();
    list.close();
  });
});
