// Writers of a dict are killed at random moments, while others read and write.
import { randomInt } from 'node:crypto';
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { isStamp } from '../../fixtures/dict/values';
import { start, type Child } from '../../support/children';
import { uniqueName } from '../../support/names';
import { Progress } from '../../support/progress';
import { mostKills } from '../../support/system';

/** How many changes a writer makes before it is killed, at most. */
const mostChanges = 100;

async function writer(
  dict: SharedDict,
  seed: number,
  progress: Progress,
  slot: number,
): Promise<Child> {
  const child = start('dict/storm', [dict.name, seed, progress.name, slot]);
  expect(await child.hear()).toBe('changing');
  return child;
}

function check(dict: SharedDict): void {
  const wrong = [...dict].filter(([key, value]) => key !== 'sum' && !isStamp(key, value));
  expect(wrong).toEqual([]);
}

describe.each([
  ['with room', {}],
  ['that is nearly full, and evicts', { capacity: 1 << 17, eviction: 'lru' }],
] as const)('a dict %s', (_, options) => {
  const kills = Math.min(20, mostKills);
  it(
    `survives ${kills} kills of writers: no half value, no entry harmed, no byte lost`,
    { timeout: 400_000 },
    async () => {
      const dict = SharedDict.create({ name: uniqueName('dict'), ...options });
      using progress = new Progress(3);
      const enlist = (slot: number, seed: number) => writer(dict, seed, progress, slot);
      const writers = await Promise.all([0, 1, 2].map((slot) => enlist(slot, slot + 1)));
      for (let kill = 0; kill < kills; kill++) {
        const slot = kill % 3;
        await progress.goesOn(writers[slot]!, slot, randomInt(mostChanges), () => {
          const key = `key ${randomInt(300)}`;
          const value = dict.get(key);
          if (value !== undefined && !isStamp(key, value))
            expect([key, value]).toBe('a whole value');
        });
        await writers[slot]!.kill();
        if (kill % 10 === 0) check(dict);
        dict.set('mine', kill);
        if (!('eviction' in options)) expect(dict.get('mine')).toBeOneOf([kill, undefined]);
        dict.delete('mine');
        writers[slot] = await enlist(slot, kill + 10);
      }
      await Promise.all(writers.map((child) => child.kill()));
      check(dict);
      const { size } = dict;
      expect([...dict].length).toBe(size);
      for (const key of dict.keys()) expect(dict.delete(key)).toBe(true);
      expect(dict.size).toBe(0);
      // Processes that died while computing have left their keys, which every process may delete.
      for (let i = 0; i < 300; i++) dict.delete(`key ${i}`);
      expect(dict.bytesUsed).toBe(0);
      dict.unlink();
      dict.close();
    },
  );
});
