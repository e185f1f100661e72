import { NamedSemaphore } from 'shmkit';
import { expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { storm } from './storm';

const permits = 2;
/** So few that new participants find room only where dead ones have left it. */
const participants = 6;

it('a semaphore gets all permits of the killed back', { timeout: 300_000 }, async () => {
  const name = uniqueName('storm');
  using semaphore = NamedSemaphore.create({
    name,
    value: permits,
    max: permits,
    participants,
  });
  await storm(
    {
      fixture: 'storm/semaphore',
      name,
      fighters: 5,
      kills: 100,
      hits: { 'an owner': (toll) => toll.inside, 'a waiter': (toll) => toll.waiting },
    },
    async () => {
      const guards = [semaphore.acquireSync(), await semaphore.acquire()];
      expect(semaphore.value).toBe(0);
      expect(semaphore.tryAcquire()).toBeNull();
      for (const guard of guards) guard.release();
      expect(semaphore.value).toBe(permits);
    },
  );
  semaphore.unlink();
});
