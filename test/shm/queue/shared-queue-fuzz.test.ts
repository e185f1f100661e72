// Bytes and words of a live queue are overwritten while other processes use it. There is no crash and no
// endless loop. The worst results are ERR_CORRUPT and a wrong value.
import { SharedQueue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { structureLayout } from '../../../lib/shm/structure/structure-layout';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';
import { vandalize } from '../../support/vandal';
import { setDataWord } from '../../support/words';

const known = [
  'ERR_CORRUPT',
  'ERR_CAPACITY',
  'ERR_TIMEOUT',
  'ERR_NOT_HELD',
  'ERR_SHUTDOWN',
  // Codes for handles and errors whose bytes were overwritten.
  'ENOENT',
  'ERR_ABI_MISMATCH',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
];

/** The order of the words in lib/shm/queue/ring.ts. */
const ringWords = ['head', 'tail', 'next', 'there', 'taken', 'wrap', 'last', 'moves'];

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

  it.each(ringWords)('is of use again when it was cleared, whatever its %s said', (word) => {
    const at = ringWords.indexOf(word);
    for (const value of [-1, 0, 1, 2, 3, 4, 70_000, 2 ** 30]) {
      for (const had of [0, 2]) {
        using queue = SharedQueue.create<string>({ name: uniqueName('queue'), capacity: 1 << 17 });
        for (const item of ['a', 'b', 'c']) queue.putSync(item);
        const items = Array.from({ length: had }, () => queue.takeSync());
        setDataWord('queue', queue.name, structureLayout.own + at, value);
        queue.clear();
        queue.putSync('again');
        queue.putSync('and again');
        expect([queue.getSync(), queue.getSync()]).toEqual(['again', 'and again']);
        expect(queue.size).toBe(0);
        for (const item of items) {
          try {
            item.ack();
          } catch (error) {
            // Where the ring was forgotten, nobody has it any more.
            expect(error).toMatchObject({ code: 'ERR_NOT_HELD' });
          }
        }
        queue.unlink();
      }
    }
  });
});
