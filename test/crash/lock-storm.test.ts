// Processes fight for a lock and are killed at random moments: while they hold it, wait for it, or are in
// between.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { mostKills } from '../support/system';

const atMost = 200;
const kills = Math.min(atMost, mostKills);
const fighters = 4;

describe(`${kills} kills among ${fighters} fighters`, () => {
  it('never let two in, and never leave anyone stuck', { timeout: 400_000 }, async () => {
    const name = uniqueName('storm');
    using memory = SharedMemory.create({ name, size: 64 });
    using lock = NamedLock.create({ name });
    const words = memory.array('int32');
    let lastId = 0;
    const enlist = async (): Promise<{ id: number; child: Child }> => {
      const id = ++lastId;
      const child = start('storm/lock', [name, id]);
      await child.hear();
      return { id, child };
    };
    const all = await Promise.all(Array.from({ length: fighters }, enlist));

    // A few kills may miss every owner. Many kills do not.
    for (let kill = 0; kill < kills || (words[3] === 0 && kill < atMost); kill++) {
      const completed = Atomics.load(words, 2);
      // A random moment, after the processes have progressed since the previous kill.
      while (Atomics.load(words, 2) < completed + 10) await delay(1);
      const until = performance.now() + randomInt(5);
      while (performance.now() < until);
      // Every other time, the victim is the process that is inside at this moment.
      const inside = kill % 2 === 0 ? Atomics.load(words, 0) : 0;
      const at = all.findIndex(({ id }) => id === inside);
      const victim = at >= 0 ? at : randomInt(fighters);
      await all[victim]!.child.kill();
      all[victim] = await enlist();
    }

    const [, violations, rounds, abandoned, timeouts] = words;
    await Promise.all(all.map(({ child }) => child.kill()));
    // The last process inside may die holding the lock, or not. Either way the lock can be acquired.
    lock.acquireSync().release();
    expect(lock.acquireSync().abandoned).toBe(false);
    lock.release();
    console.log(`${rounds} rounds, ${abandoned} owners died holding, ${timeouts} timeouts`);
    expect(violations).toBe(0);
    expect(abandoned, 'some kills hit an owner').toBeGreaterThan(0);
    lock.unlink();
    memory.unlink();
  });

  it('of waiters are noticed by nobody', async () => {
    const name = uniqueName('waiters');
    using lock = NamedLock.create({ name });
    lock.acquireSync();
    for (const how of ['sync', 'async']) {
      const waiters = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const child = start('lock/lock-holder', [name, how]);
          expect(await child.hear()).toBe('ready');
          return child;
        }),
      );
      const survivor = start('lock/lock-holder', [name, how]);
      expect(await survivor.hear()).toBe('ready');
      await Promise.all(waiters.map((child) => child.kill()));
      lock.release();
      expect(await survivor.hear()).toEqual({ held: true, abandoned: false });
      survivor.tell('release');
      await survivor.succeed();
      expect(lock.acquireSync().abandoned).toBe(false);
    }
    lock.release();
    lock.unlink();
  });
});
