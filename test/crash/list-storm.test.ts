import { ShareableList } from 'shmkit';
import { expect, it } from 'vitest';
import { uniqueName } from '../support/names';
import { storm } from './storm';

it(
  'a list with a lock counts right and stays whole among the killed',
  { timeout: 300_000 },
  async () => {
    const name = uniqueName('list');
    const room = 'r'.repeat(1000);
    // The name of the list must differ from that of the segment that the fighters share.
    using list = ShareableList.create({ name: `${name}.list`, from: [0, room, room], lock: true });
    list.set(1, '');
    await storm(
      {
        fixture: 'storm/list',
        name,
        fighters: 5,
        kills: 60,
        hits: { 'an owner': (toll) => toll.inside, 'a waiter': (toll) => toll.waiting },
      },
      (toll) => {
        const [count, text] = list.toArray() as [number, string];
        // A kill between a change and its tally leaves one more than the tally says.
        expect(count).toBeGreaterThanOrEqual(toll.arena.tallied);
        expect(count).toBeLessThanOrEqual(toll.arena.tallied + toll.kills);
        expect(text).toBe((text[0] ?? '').repeat(text.length));
        list.set(1, 'written again');
        expect(list.at(1)).toBe('written again');
      },
    );
    list.unlink();
  },
);
