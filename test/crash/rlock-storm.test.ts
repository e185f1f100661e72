import { NamedRLock } from 'shmkit';
import { expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { storm } from './storm';

it(
  'a re-entrant lock goes on from one killed owner to the next',
  { timeout: 300_000 },
  async () => {
    const name = uniqueName('storm');
    using lock = NamedRLock.create({ name });
    await storm(
      {
        fixture: 'storm/rlock',
        name,
        fighters: 5,
        kills: 100,
        hits: {
          'an owner': (toll) => toll.inside,
          'a waiter': (toll) => toll.waiting,
          'an owner of whom the next was told': (toll) => toll.arena.abandoned,
        },
      },
      () => {
        // The last process may have died holding the lock, or not. Either way the lock can be acquired.
        lock.acquireSync().release();
        const guard = lock.acquireSync();
        expect([guard.abandoned, lock.depth]).toEqual([false, 1]);
        guard.release();
        expect([lock.depth, lock.locked]).toEqual([0, false]);
      },
    );
    lock.unlink();
  },
);
