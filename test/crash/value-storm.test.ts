import { SharedValue } from 'shmkit';
import { expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { storm } from './storm';

it('a value is updated by each of the killed once more at most', { timeout: 300_000 }, async () => {
  const name = uniqueName('storm');
  using value = SharedValue.create({ name, type: 'uint64', value: 0n });
  await storm(
    {
      fixture: 'storm/value',
      name,
      fighters: 5,
      kills: 100,
      hits: { 'an update': (toll) => toll.inside, 'a waiter': (toll) => toll.waiting },
    },
    (toll) => {
      const [high, low] = [value.value >> 32n, value.value & 0xffff_ffffn].map(Number);
      expect(high).toBe(low);
      // A kill between an update and its tally leaves one more than the tally says.
      expect(low).toBeGreaterThanOrEqual(toll.arena.tallied);
      expect(low).toBeLessThanOrEqual(toll.arena.tallied + toll.kills);
      expect(value.update(() => 1n)).toBe(1n);
      expect(value.lock.locked).toBe(false);
    },
  );
  value.unlink();
});
