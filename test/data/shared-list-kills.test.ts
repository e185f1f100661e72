// Writers of a list are killed at random moments, while others read and write.
import { randomInt } from 'node:crypto';
import { SharedList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { areGroups } from '../fixtures/list-values';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { mostKills } from '../support/system';

async function writer(list: SharedList, seed: number): Promise<Child> {
  const child = start('list-storm', [list.name, seed]);
  expect(await child.hear()).toBe('changing');
  return child;
}

describe('a list', () => {
  const kills = Math.min(45, mostKills);
  it(`survives ${kills} kills of writers: no half change, no byte lost`, async () => {
    const list = SharedList.create({ name: uniqueName('list'), capacity: 1 << 22 });
    const writers = await Promise.all([1, 2, 3].map((seed) => writer(list, seed)));
    let longest = 0;
    for (let kill = 0; kill < kills; kill++) {
      const until = performance.now() + randomInt(6);
      do {
        const elements = list.toArray();
        longest = Math.max(longest, elements.length);
        expect(areGroups(elements)).toBe(true);
      } while (performance.now() < until);
      await writers[kill % 3]!.kill();
      expect(areGroups(list.toArray())).toBe(true);
      writers[kill % 3] = await writer(list, kill + 10);
    }
    await Promise.all(writers.map((child) => child.kill()));
    expect(longest).toBeGreaterThan(0);
    const elements = list.toArray();
    expect(areGroups(elements)).toBe(true);
    expect(list.splice(0)).toEqual(elements);
    // A directory, and a chunk.
    expect(list.bytesUsed).toBeLessThan(2000);
    list.clear();
    expect(list.bytesUsed).toBe(0);
    list.unlink();
    list.close();
  });
});
