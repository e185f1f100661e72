import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { NamedLock } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';

describe('100 waiting acquires', () => {
  it.each([1, 100])(
    'of %i locks block neither the event loop nor the thread pool',
    async (count) => {
      const locks = Array.from({ length: count }, () => NamedLock.create());
      const child = start('lock/hold-many', [locks.map((lock) => lock.name)]);
      expect(await child.hear()).toBe('held');

      const waiting = Array.from({ length: 100 }, (_, i) => locks[i % count]!.acquire());
      let granted = 0;
      for (const each of waiting) {
        void each.then((guard) => {
          granted++;
          guard.release();
        });
      }
      const histogram = monitorEventLoopDelay({ resolution: 1 });
      histogram.enable();
      let turns = 0;
      const until = performance.now() + 1000;
      while (performance.now() < until) {
        await delay(1);
        // The pool has four threads. If waits occupied them, no file could be read.
        expect((await readFile('package.json')).length).toBeGreaterThan(0);
        turns++;
      }
      histogram.disable();
      expect(granted).toBe(0);
      expect(turns).toBeGreaterThan(0);
      expect(histogram.count, 'the loop went round all the while').toBeGreaterThan(10);
      console.log(
        `${count} locks: ${turns} turns in 1 s, event loop delay mean ` +
          `${(histogram.mean / 1e6).toFixed(2)} ms, max ${(histogram.max / 1e6).toFixed(1)} ms`,
      );

      child.tell('release');
      await Promise.all(waiting);
      expect(granted).toBe(100);
      await child.succeed();
      for (const lock of locks) {
        lock.unlink();
        lock.close();
      }
    },
  );
});

describe('a process', () => {
  it('stays while it awaits a lock, and ends when nothing is awaited any more', async () => {
    using lock = NamedLock.create();
    lock.acquireSync();
    const child = start('loop/awaits-only', [lock.name]);
    expect(await child.hear()).toBe('waiting');
    lock.release();
    expect(await child.hear()).toBe('granted');
    await child.succeed();
    lock.unlink();
  });
});
