// Writers of a list are killed at random moments, while others read and write.
import { randomInt } from 'node:crypto';
import { SharedList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { areGroups } from '../../fixtures/list/values';
import { start, type Child } from '../../support/children';
import { uniqueName } from '../../support/names';
import { Progress } from '../../support/progress';
import { mostKills } from '../../support/system';

/** How many changes a writer makes before it is killed, at most. */
const mostChanges = 100;

async function writer(
  list: SharedList,
  seed: number,
  progress: Progress,
  slot: number,
): Promise<Child> {
  const child = start('list/storm', [list.name, seed, progress.name, slot]);
  expect(await child.hear()).toBe('changing');
  return child;
}

describe('a list', () => {
  const kills = Math.min(45, mostKills);
  it(
    `survives ${kills} kills of writers: no half change, no byte lost`,
    { timeout: 400_000 },
    async () => {
      const list = SharedList.create({ name: uniqueName('list'), capacity: 1 << 22 });
      using progress = new Progress(3);
      const enlist = (slot: number, seed: number) => writer(list, seed, progress, slot);
      const writers = await Promise.all([0, 1, 2].map((slot) => enlist(slot, slot + 1)));
      let longest = 0;
      for (let kill = 0; kill < kills; kill++) {
        const slot = kill % 3;
        await progress.goesOn(writers[slot]!, slot, 1 + randomInt(mostChanges), () => {
          const elements = list.toArray();
          longest = Math.max(longest, elements.length);
          expect(areGroups(elements)).toBe(true);
        });
        await writers[slot]!.kill();
        expect(areGroups(list.toArray())).toBe(true);
        writers[slot] = await enlist(slot, kill + 10);
      }
      await Promise.all(writers.map((child) => child.kill()));
      expect(longest).toBeGreaterThan(0);
      const elements = list.toArray();
      expect(areGroups(elements)).toBe(true);
      expect(list.splice(0)).toEqual(elements);
      // An empty list keeps a directory and a chunk.
      expect(list.bytesUsed).toBeLessThan(2000);
      list.clear();
      expect(list.bytesUsed).toBe(0);
      list.unlink();
      list.close();
    },
  );
});
