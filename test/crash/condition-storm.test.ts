import { NamedCondition } from 'shmkit';
import { expect, it } from 'vitest';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';
import { storm } from './storm';

/** So few that new participants find room only where dead ones have left it. */
const participants = 6;

it('a condition loses no wake-up of the living', { timeout: 300_000 }, async () => {
  const name = uniqueName('storm');
  using condition = NamedCondition.create({ name, participants });
  await storm(
    {
      fixture: 'storm/condition',
      name,
      fighters: 5,
      kills: 100,
      hits: { 'an owner': (toll) => toll.inside, 'a waiter': (toll) => toll.waiting },
    },
    () => {
      condition.lock.acquireSync();
      expect(condition.notifyAll(), 'nobody waits').toBe(0);
      expectCode(() => condition.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
      condition.lock.release();
    },
  );
  condition.unlink();
});
