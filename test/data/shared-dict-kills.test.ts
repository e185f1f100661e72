// Writers of a dict are killed at random moments, while others read and write.
import { randomInt } from 'node:crypto';
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { isStamp } from '../fixtures/dict-values';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { mostKills } from '../support/system';

async function writer(dict: SharedDict, seed: number): Promise<Child> {
  const child = start('dict-storm', [dict.name, seed]);
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
  it(`survives ${kills} kills of writers: no half value, no entry harmed, no byte lost`, async () => {
    const dict = SharedDict.create({ name: uniqueName('dict'), ...options });
    const writers = await Promise.all([1, 2, 3].map((seed) => writer(dict, seed)));
    for (let kill = 0; kill < kills; kill++) {
      const until = performance.now() + randomInt(6);
      while (performance.now() < until) {
        const key = `key ${randomInt(300)}`;
        const value = dict.get(key);
        if (value !== undefined && !isStamp(key, value)) expect([key, value]).toBe('a whole value');
      }
      await writers[kill % 3]!.kill();
      if (kill % 10 === 0) check(dict);
      dict.set('mine', kill);
      if (!('eviction' in options)) expect(dict.get('mine')).toBeOneOf([kill, undefined]);
      dict.delete('mine');
      writers[kill % 3] = await writer(dict, kill + 10);
    }
    await Promise.all(writers.map((child) => child.kill()));
    check(dict);
    const { size } = dict;
    expect([...dict].length).toBe(size);
    for (const key of dict.keys()) expect(dict.delete(key)).toBe(true);
    expect(dict.size).toBe(0);
    // Those who died computing have left their names, which anyone may delete.
    for (let i = 0; i < 300; i++) dict.delete(`key ${i}`);
    expect(dict.bytesUsed).toBe(0);
    dict.unlink();
    dict.close();
  });
});
