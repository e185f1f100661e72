import { NamedBarrier, NamedLock } from 'shmkit';
import { expect, it } from 'vitest';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';
import { storm } from './storm';

const parties = 5;
/** So few that new participants find room only where dead ones have left it. */
const participants = 6;

it(
  'a barrier is broken by the killed, and mended by the living',
  { timeout: 300_000 },
  async () => {
    const name = uniqueName('storm');
    using barrier = NamedBarrier.create({ name, parties, participants });
    using mending = NamedLock.create({ name });
    await storm(
      {
        fixture: 'storm/barrier',
        name,
        fighters: parties,
        kills: 100,
        hits: {
          'a waiter': (toll) => toll.inside,
          'one whose end broke it for others': (toll) => toll.arena.tallied,
        },
      },
      () => {
        barrier.reset();
        expect([barrier.broken, barrier.waiting]).toEqual([false, 0]);
        expectCode(() => barrier.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
        expect([barrier.broken, barrier.waiting]).toEqual([true, 0]);
      },
    );
    barrier.unlink();
    mending.unlink();
  },
);
