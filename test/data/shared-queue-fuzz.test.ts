// Bytes and words of a live queue are overwritten while others use it: no crash, no endless loop,
// ERR_CORRUPT or a wrong value at worst.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { SharedQueue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { uniqueName } from '../support/names';
import { randomNumbers } from '../support/structures';

const known = [
  'ERR_CORRUPT',
  'ERR_CAPACITY',
  'ERR_TIMEOUT',
  'ERR_NOT_HELD',
  'ERR_SHUTDOWN',
  // Handles and errors of which the bytes were overwritten.
  'ENOENT',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
];

describe.runIf(process.platform === 'linux')('a queue whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 40_000],
    ['in its own words', 1800, 2100],
    ['in its items', 10_200, 30_000],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const queue = SharedQueue.create({ name: uniqueName('queue'), capacity: 1 << 17 });
    for (let i = 0; i < 100; i++) queue.putSync({ i });
    const milliseconds = 3000;
    const users = [1, 2].map((seed) => start('queue-fuzzed', [queue.name, seed, milliseconds]));
    for (const user of users) expect(await user.hear()).toBe('ready');
    const fd = openSync(`/dev/shm/shmkit.queue.${queue.name}`, 'r+');
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
        // How far memory reaches: beyond that a full file system ends whoever believes it.
        if (at - dataAt >= 8) writeSync(fd, word, 0, length, length === 4 ? at & ~3 : at);
      }
      await turn();
    }
    closeSync(fd);
    for (const user of users) {
      const { turns, codes } = await user.hear<{ turns: number; codes: Record<string, number> }>();
      console.log({ turns, codes });
      expect(Object.keys(codes).filter((code) => !known.includes(code))).toEqual([]);
      expect(turns).toBeGreaterThan(100);
      await user.succeed();
    }
    queue.clear();
    if (!queue.isShutDown) {
      queue.putSync('again');
      expect(queue.getSync()).toBe('again');
    }
    queue.unlink();
    queue.close();
  });
});
