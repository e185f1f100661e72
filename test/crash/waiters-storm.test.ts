// Waiters are killed without notice: what they waited for goes to the waiters that are left.
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  SharedValue,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import type { Kind } from '../fixtures/storm/waiter';
import { start, type Child, killedItself } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import { stopAtRest } from '../support/stops';
import { canStop, onLinux } from '../support/system';

const rounds = 2;
const ways = ['sync', 'async'] as const;
type Way = (typeof ways)[number];

async function waiter(kind: Kind, name: string, way: Way): Promise<Child> {
  const child = start('storm/waiter', [kind, name, way]);
  expect(await child.hear()).toBe('waiting');
  if (way === 'sync') await isAsleep(child);
  return child;
}

/** Starts waiters, and kills all but one. */
async function survivorOf(count: number, kind: Kind, name: string, way: Way): Promise<Child> {
  const all = await Promise.all(Array.from({ length: count }, () => waiter(kind, name, way)));
  const survivor = all.splice(randomInt(count), 1)[0]!;
  await Promise.all(all.map((child) => child.kill()));
  return survivor;
}

async function goesOn(survivor: Child, outcome = 'through'): Promise<void> {
  expect(await survivor.hear()).toBe(outcome);
  survivor.tell('end');
  await survivor.succeed();
}

/** Resolves when the main thread sleeps in its wait, as far as that can be seen from outside. */
async function isAsleep({ process: { pid } }: Child): Promise<void> {
  if (!onLinux) return;
  const file = `/proc/${pid}/task/${pid}/stat`;
  // If it sleeps somewhere else, it is killed on the way to its wait, which is as good a moment as any
  // other.
  for (let seen = 0; seen < 3;) {
    const state = readFileSync(file, 'utf8').replace(/.*\) /, '')[0];
    seen = state === 'S' ? seen + 1 : 0;
    await delay(1);
  }
}

describe.each(ways)('waiters (%s) that are killed', (way) => {
  it('for a re-entrant lock are passed over', async () => {
    using lock = NamedRLock.create({ name: uniqueName('waiters') });
    for (let round = 0; round < rounds; round++) {
      const guard = lock.acquireSync();
      const survivor = await survivorOf(4, 'rlock', lock.name, way);
      guard.release();
      await goesOn(survivor);
    }
    lock.unlink();
  });

  it('for a semaphore take no permit with them', async () => {
    using semaphore = NamedSemaphore.create({ name: uniqueName('waiters'), value: 1, max: 1 });
    for (let round = 0; round < rounds; round++) {
      const guard = semaphore.acquireSync();
      const survivor = await survivorOf(4, 'semaphore', semaphore.name, way);
      guard.release();
      await goesOn(survivor);
    }
    semaphore.acquireSync().release();
    expect(semaphore.value).toBe(1);
    semaphore.unlink();
  });

  it('for an event do not keep it from being set', async () => {
    using event = NamedEvent.create({ name: uniqueName('waiters') });
    for (let round = 0; round < rounds; round++) {
      const survivor = await survivorOf(4, 'event', event.name, way);
      event.set();
      await goesOn(survivor);
      event.clear();
    }
    event.unlink();
  });

  it('for a condition are not the ones who are notified', async () => {
    using condition = NamedCondition.create({ name: uniqueName('waiters') });
    for (let round = 0; round < rounds; round++) {
      const survivor = await survivorOf(4, 'condition', condition.name, way);
      condition.lock.runExclusiveSync(() => expect(condition.notify()).toBe(1));
      await goesOn(survivor);
      condition.lock.runExclusiveSync(() => expect(condition.notifyAll()).toBe(0));
    }
    condition.unlink();
  });

  it.runIf(canStop)(
    'for a condition pass the notification on that they were about to follow',
    async () => {
      using condition = NamedCondition.create({ name: uniqueName('waiters') });
      for (let round = 0; round < 2 * rounds; round++) {
        const all = [
          await waiter('condition', condition.name, way),
          await waiter('condition', condition.name, way),
        ];
        // Whichever of the two is notified, it cannot continue.
        for (const child of all) await stopAtRest(child.process.pid!);
        condition.lock.runExclusiveSync(() => expect(condition.notify()).toBe(1));
        await all[round % 2]!.kill();
        const survivor = all[1 - (round % 2)]!;
        survivor.process.kill('SIGCONT');
        await goesOn(survivor);
      }
      condition.unlink();
    },
  );

  it('at a barrier break it for the others, and a reset mends it', async () => {
    const parties = 4;
    using barrier = NamedBarrier.create({ name: uniqueName('waiters'), parties });
    const enter = async (count: number): Promise<Child[]> => {
      const all = await Promise.all(
        Array.from({ length: count }, () => waiter('barrier', barrier.name, way)),
      );
      while (barrier.waiting < count) await delay(1);
      return all;
    };
    for (let round = 0; round < rounds; round++) {
      const all = await enter(parties - 1);
      const [victim] = all.splice(round % all.length, 1);
      await victim!.kill();
      await Promise.all(all.map((child) => goesOn(child, 'ERR_BROKEN_BARRIER')));
      expect(barrier.broken).toBe(true);
      barrier.reset();
      expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);

      const next = await enter(parties - 1);
      expect(barrier.waitSync()).toBe(parties - 1);
      await Promise.all(next.map((child) => goesOn(child)));
    }
    barrier.unlink();
  });

  it('at a barrier are not counted by the last to arrive', async () => {
    using barrier = NamedBarrier.create({ name: uniqueName('waiters'), parties: 2 });
    for (let round = 0; round < rounds; round++) {
      const victim = await waiter('barrier', barrier.name, way);
      while (barrier.waiting < 1) await delay(1);
      await victim.kill();
      // As soon as the process is dead, before any other could notice.
      if (way === 'sync') expectCode(() => barrier.waitSync(), 'ERR_BROKEN_BARRIER');
      else await expectRejection(barrier.wait(), 'ERR_BROKEN_BARRIER');
      barrier.reset();
    }
    barrier.unlink();
  });

  it('at a barrier, in its action, break it too', async () => {
    using barrier = NamedBarrier.create({ name: uniqueName('waiters'), parties: 2 });
    for (let round = 0; round < rounds; round++) {
      const survivor = await waiter('barrier', barrier.name, way);
      while (barrier.waiting < 1) await delay(1);
      const victim = start('storm/waiter', ['actor', barrier.name, way]);
      expect(await victim.exit).toEqual(killedItself);
      await goesOn(survivor, 'ERR_BROKEN_BARRIER');
      expect(barrier.broken).toBe(true);
      barrier.reset();
    }
    barrier.unlink();
  });

  it('to write let readers by who came after them', async () => {
    using lock = NamedRWLock.create({ name: uniqueName('waiters') });
    for (let round = 0; round < rounds; round++) {
      const guard = lock.acquireReadSync();
      const writer = await waiter('writer', lock.name, way);
      const reader = await waiter('reader', lock.name, way);
      await writer.kill();
      await goesOn(reader);
      guard.release();
    }
    lock.acquireWriteSync().release();
    lock.unlink();
  });

  it('to read or write keep nobody from writing', async () => {
    using lock = NamedRWLock.create({ name: uniqueName('waiters') });
    for (let round = 0; round < rounds; round++) {
      const guard = lock.acquireWriteSync();
      const reader = await waiter('reader', lock.name, way);
      const writer = await waiter('writer', lock.name, way);
      const survivor = await waiter('writer', lock.name, way);
      await Promise.all([reader.kill(), writer.kill()]);
      guard.release();
      await goesOn(survivor);
    }
    const guard = lock.acquireWriteSync();
    expect(guard.abandoned, 'who only waited left nothing torn').toBe(false);
    guard.release();
    lock.unlink();
  });

  it('for a value to change do not keep others from hearing of it', async () => {
    using value = SharedValue.create({ name: uniqueName('waiters'), type: 'int32', value: 0 });
    for (let round = 0; round < rounds; round++) {
      const survivor = await survivorOf(4, 'value', value.name, way);
      value.value = 1;
      value.notify();
      await goesOn(survivor);
      value.value = 0;
    }
    value.unlink();
  });
});
