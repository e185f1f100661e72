// Bytes and words of a live dict are overwritten while others read and write: no crash, no endless
// loop, ERR_CORRUPT or a wrong value at worst.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { uniqueName } from '../support/names';
import { randomNumbers } from '../support/structures';

describe.runIf(process.platform === 'linux')('a dict whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 1],
    ['in its own words, table and log', 0, 0.2],
    ['in its entries', 0.2, 1],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const capacity = 1 << 18;
    const dict = SharedDict.create({ name: uniqueName('dict'), capacity });
    for (let i = 0; i < 400; i++) dict.set(`key ${i}`, { i });
    const milliseconds = 4000;
    const users = [1, 2].map((seed) => start('dict-fuzzed', [dict.name, seed, milliseconds]));
    for (const user of users) expect(await user.hear()).toBe('ready');
    const fd = openSync(`/dev/shm/shmkit.dict.${dict.name}`, 'r+');
    const word = Buffer.alloc(4);
    readSync(fd, word, 0, 4, 12);
    // Not the header: the C library's mutex is in it.
    const dataAt = word.readUInt32LE(0);
    const random = randomNumbers(42);
    const end = performance.now() + milliseconds;
    let written = 0;
    while (performance.now() < end) {
      for (let i = 0; i < 5; i++) {
        const at = dataAt + Math.floor((from + ((to - from) * random(1e6)) / 1e6) * 100_000);
        const length = random(2) === 0 ? 1 : 4;
        word.writeUInt32LE(random(3) === 0 ? random(2 ** 32) : random(70_000) >>> random(16));
        writeSync(fd, word, 0, length, length === 4 ? at & ~3 : at);
        written++;
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
      console.log({ written, turns, codes, slowest });
      const known = ['ERR_CORRUPT', 'ERR_CAPACITY', 'ERR_INVALID_ARG_TYPE'];
      expect(Object.keys(codes).filter((code) => !known.includes(code))).toEqual([]);
      expect(turns).toBeGreaterThan(100);
      await user.succeed();
    }
    dict.clear();
    dict.set('again', 1);
    expect([...dict]).toEqual([['again', 1]]);
    dict.unlink();
    dict.close();
  });
});
