// Bytes and words of a live queue are overwritten while others use it: no crash, no endless loop,
// ERR_CORRUPT or a wrong value at worst.
import { SharedQueue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { vandalize } from '../support/vandal';
import { onLinux } from '../support/system';

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

describe.runIf(onLinux)('a queue whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 40_000],
    ['in its own words', 1800, 2100],
    ['in its items', 10_200, 30_000],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const queue = SharedQueue.create({ name: uniqueName('queue'), capacity: 1 << 17 });
    for (let i = 0; i < 100; i++) queue.putSync({ i });
    const { name } = queue;
    await vandalize({ kind: 'queue', name, from, to, milliseconds: 3000, known });
    queue.clear();
    if (!queue.isShutDown) {
      queue.putSync('again');
      expect(queue.getSync()).toBe('again');
    }
    queue.unlink();
    queue.close();
  });
});
