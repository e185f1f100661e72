// The participants of an object, what is left of former participants, and the effects of spoiled words.
import { openSync, closeSync, readFileSync, readdirSync, writeSync } from 'node:fs';
import {
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedRWLock,
  NamedSemaphore,
  attach,
} from 'shmkit';
import { describe, expect, it } from 'vitest';
import { layout } from '../../../lib/shm/core/layout';
import { temporary } from '../../support/temporaries';
import { refusals, useOnce } from '../../fixtures/sync/use';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer, beings, ends } from '../../support/peers';
import { onLinux, onWindows } from '../../support/system';

describe('an object with room for one thread', () => {
  it.each(ends)('has room for another when it was %s', async (end) => {
    using semaphore = temporary(NamedSemaphore.create({ value: 5, participants: 1 }));
    const first = await Peer.startFor(end, semaphore);
    await first.call('acquireSync');
    const { name } = semaphore;
    expectCode(() => semaphore.acquireSync(), 'ERR_CAPACITY', name, '1 threads', 'participants');
    expectCode(() => semaphore.tryAcquire(), 'ERR_CAPACITY', name);
    await expectRejection(semaphore.acquire(), 'ERR_CAPACITY', name);
    await expectRejection(semaphore.acquire({ timeout: 10 }), 'ERR_CAPACITY', name);
    expect(semaphore.value, 'who takes nothing needs no room').toBe(4);
    semaphore.release();
    expect(semaphore.value).toBe(5);
    await first.endBy(end);
    using _own = semaphore.acquireSync();
    expect(semaphore.value).toBe(4);
  });

  it('has room for another when it has closed its last handle', async () => {
    using semaphore = temporary(NamedSemaphore.create({ value: 5, participants: 1 }));
    for (const being of beings) {
      const own = NamedSemaphore.attach(semaphore.name);
      own.acquireSync().release();
      const peer = await Peer.start(semaphore, being);
      expect(await peer.call('tryAcquire')).toBe('ERR_CAPACITY');
      own.close();
      expect(await peer.call('tryAcquire'), 'there is another handle here').toBe('ERR_CAPACITY');
      await peer.end();
    }
    const { name } = semaphore;
    // A process that only has it attached needs no room.
    const keeper = await Peer.start(semaphore);
    semaphore.close();
    for (const being of beings) {
      const peer = await Peer.start(semaphore, being);
      expect(await peer.call('tryAcquire')).toEqual({ held: true });
      await peer.call('release');
      expect(await peer.call('close')).toBe('fine');
    }
    using again = NamedSemaphore.attach(name);
    again.acquireSync().release();
    await keeper.end();
  });

  it.runIf(onLinux)('serves many that come and go, one after another', async () => {
    const semaphore = NamedSemaphore.create({ participants: 1 });
    const path = `/dev/shm/shmkit.semaphore.${semaphore.name}`;
    const { length } = readFileSync(path);
    semaphore.close();
    for (let i = 0; i < 300; i++) {
      using passing = NamedSemaphore.attach(semaphore.name);
      passing.acquireSync({ timeout: 0 }).release();
    }
    for (const end of [...ends, ...ends]) {
      const peer = await Peer.startFor(end, semaphore);
      expect(await peer.call('acquireSync', { timeout: 0 })).toEqual({ held: true });
      await peer.endBy(end);
    }
    expect(readFileSync(path).length).toBe(length);
    semaphore.unlink();
  });

  it('lets no other thread take part in a barrier, and the first wait on', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 2, participants: 1 }));
    const peer = await Peer.start(barrier);
    const own = barrier.wait();
    expect(await peer.call('wait')).toBe('ERR_CAPACITY');
    expect(await peer.call('waitSync')).toBe('ERR_CAPACITY');
    expect([barrier.waiting, barrier.broken]).toEqual([1, false]);
    expect([await barrier.wait(), await own]).toEqual([1, 0]);
  });

  it('lets no other thread wait on a condition, and leaves it the lock', async () => {
    using condition = temporary(NamedCondition.create({ participants: 1 }));
    const peer = await Peer.start(condition);
    await condition.lock.acquire();
    const own = condition.wait();
    expect(await peer.call('lock.acquire')).toEqual({ held: true });
    expect(await peer.call('wait')).toBe('ERR_CAPACITY');
    expect(await peer.call('waitSync')).toBe('ERR_CAPACITY');
    expect(await peer.call('lock.held')).toBe(true);
    expect(await peer.call('notify'), 'who notifies needs no room').toBe(1);
    await peer.call('lock.release');
    await own;
    condition.lock.release();
  });

  it('lets no other thread have a read-write lock', async () => {
    using lock = temporary(NamedRWLock.create({ participants: 1 }));
    const peer = await Peer.start(lock);
    using _read = lock.acquireReadSync();
    for (const method of ['acquireRead', 'acquireReadSync', 'tryAcquireRead', 'acquireWrite']) {
      expect(await peer.call(method)).toBe('ERR_CAPACITY');
    }
    expect([await peer.call('readers'), await peer.call('writing')]).toEqual([1, false]);
  });
});

describe('room', () => {
  it.runIf(onLinux)('is for as many as was said, up to 65,536', async () => {
    using large = temporary(NamedSemaphore.create({ value: 3, participants: 65_536 }));
    large.acquireSync();
    const peer = await Peer.start(large);
    await peer.call('acquireSync');
    expect(large.value).toBe(1);
    await peer.end();
    large.release();
    expect(large.value).toBe(3);
    using usual = temporary(NamedSemaphore.create());
    const bytes = (name: string) => readFileSync(`/dev/shm/shmkit.semaphore.${name}`).length;
    expect(bytes(usual.name), 'what everybody pays').toBeLessThanOrEqual(8192);
    expect(bytes(large.name)).toBeGreaterThan(40 * 65_536);
  });

  it.runIf(onLinux)('is for the threads of a barrier, be they more than is usual', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 1000 }));
    const bytes = readFileSync(`/dev/shm/shmkit.barrier.${barrier.name}`).length;
    expect(bytes).toBeGreaterThan(40 * 1000);
    const parties = Array.from({ length: 1000 }, () => barrier.wait());
    expect(new Set(await Promise.all(parties)).size).toBe(1000);
  });
});

describe('a process with 5,000 semaphores and as many events', () => {
  // On Windows these disappear with the only process that has them.
  it.skipIf(onWindows)(
    'that is killed leaves the permits of all, and the events as they were',
    async () => {
      const name = uniqueName('many');
      const count = 5000;
      const child = start('sync/holds-many', [name, count]);
      expect(await child.hear()).toBe(2 * count);
      using first = NamedSemaphore.attach(`${name}.0`);
      expect(first.value).toBe(1);
      await child.kill();
      let wrong = 0;
      for (let i = 0; i < count; i++) {
        const semaphore = NamedSemaphore.attach(`${name}.${i}`);
        if (semaphore.tryAcquire() === null || semaphore.tryAcquire() === null) wrong++;
        if (semaphore.tryAcquire() !== null) wrong++;
        semaphore.release(2);
        semaphore.unlink();
        semaphore.close();
        const event = NamedEvent.attach(`${name}.${i}`);
        if (event.isSet !== (i % 2 === 0)) wrong++;
        event.unlink();
        event.close();
      }
      expect(wrong).toBe(0);
    },
  );
});

describe.runIf(onLinux)('words that somebody spoils', () => {
  const makers = {
    semaphore: () => NamedSemaphore.create({ value: 2, participants: 8 }),
    event: () => NamedEvent.create(),
    condition: () => NamedCondition.create({ participants: 8 }),
    barrier: () => NamedBarrier.create({ parties: 2, participants: 8 }),
    rwlock: () => NamedRWLock.create({ participants: 8 }),
  };
  const kinds = Object.entries(makers);

  /** Where the words of an object are, according to its header. */
  function wordsOf(path: string): { whole: Buffer; begin: number; end: number } {
    const whole = readFileSync(path);
    const end = Math.min(whole.readUint32LE(layout.dataAtAt), whole.length);
    return { whole, begin: layout.headerBytes, end };
  }

  it.each(kinds)('of %s give errors or wrong values, whatever they are', async (kind, make) => {
    using object = temporary(make());
    const path = `/dev/shm/shmkit.${kind}.${object.name}`;
    await useOnce(object, 5).catch(() => undefined);
    const { whole, begin, end } = wordsOf(path);
    const file = openSync(path, 'r+');
    for (const fill of [0x00, 0x01, 0x7f, 0x80, 0xff, 0x5a]) {
      writeSync(file, Buffer.alloc(end - begin, fill), 0, end - begin, begin);
      for (const each of [object, attach(object.toJSON())]) {
        try {
          await useOnce(each, 5);
        } catch (error) {
          expect(refusals).toContain((error as NodeJS.ErrnoException).code);
        }
        if (each !== object) each.close();
      }
    }
    writeSync(file, whole, begin, end - begin, begin);
    closeSync(file);
  });

  it.each(kinds)(
    'of %s while others use it crash nobody, and hold nobody up',
    async (kind, make) => {
      using object = temporary(make());
      const path = `/dev/shm/shmkit.${kind}.${object.name}`;
      const { whole, begin, end } = wordsOf(path);
      const seed = 1 + Math.floor(Math.random() * 2 ** 30);
      const fuzzer = start('sync/fuzzer', [path, begin, end, seed]);
      expect(await fuzzer.hear()).toBe('flipping');
      const users = [0, 1].map(() => start('sync/fuzzed', [object, 400]));
      const outcomes = await Promise.all(
        users.map(async (user) => {
          const said = await user.hear<Record<string, number>>();
          await user.succeed();
          return said;
        }),
      ).catch((error: unknown) => {
        throw new Error(`with the seed ${seed}`, { cause: error });
      });
      await fuzzer.kill();
      const uses = outcomes.flatMap((said) => Object.values(said)).reduce((a, b) => a + b);
      expect(uses).toBeGreaterThan(0);
      // When the words are restored, it works as before.
      const file = openSync(path, 'r+');
      writeSync(file, whole, begin, end - begin, begin);
      closeSync(file);
      using again = attach(object.toJSON());
      await useOnce(again, 1000).catch((error: unknown) => {
        expect((error as NodeJS.ErrnoException).code).toBe('ERR_TIMEOUT');
      });
    },
  );
});

describe.runIf(onLinux)('being present', () => {
  it('takes one descriptor a thread, however many objects it takes part in', () => {
    const before = readdirSync('/proc/self/fd').length;
    const all = Array.from({ length: 50 }, () => NamedSemaphore.create());
    for (const semaphore of all) semaphore.acquireSync();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    for (const semaphore of all) {
      semaphore.release();
      semaphore.unlink();
      semaphore.close();
    }
  });
});
