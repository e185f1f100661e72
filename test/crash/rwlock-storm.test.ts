import { NamedRWLock } from 'shmkit';
import { expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { storm } from './storm';

/** So few that new participants find room only where dead ones have left it. */
const participants = 6;

it('a lock of readers and writers outlives both', { timeout: 300_000 }, async () => {
  const name = uniqueName('storm');
  using lock = NamedRWLock.create({ name, participants });
  await storm(
    {
      fixture: 'storm/rwlock',
      name,
      fighters: 5,
      kills: 100,
      hits: {
        'an owner': (toll) => toll.inside,
        'a waiter': (toll) => toll.waiting,
        'a writer of whom the next was told': (toll) => toll.arena.abandoned,
      },
    },
    () => {
      lock.acquireWriteSync().release();
      const guard = lock.acquireWriteSync();
      expect([guard.abandoned, lock.readers, lock.writing]).toEqual([false, 0, true]);
      guard.release();
      expect([lock.readers, lock.writing]).toEqual([0, false]);
    },
  );
  lock.unlink();
});
