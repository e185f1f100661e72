// A dict as a process leaves it that is killed before any of the stores of a change, or of the recovery
// from that. The change is there as a whole or not at all, and everything else is as it was.
import { describe, expect, it } from 'vitest';
// The library must be imported after the typed arrays that it uses were replaced.
import { watched } from '../../fixtures/stores';
import { SharedDict, type SharedDictCreateOptions } from 'shmkit';
import { Corpse, imagesOf } from '../../support/corpses';
import { onLinux } from '../../support/system';
import { temporary } from '../../support/temporaries';

type Dict = SharedDict;

const capacity = 1 << 18;

type State = Map<string, unknown>;

const manyKeys = Array.from({ length: 64 }, (_, i) => `key ${i}`);

const initial: [string, unknown][] = [
  ['number', 1],
  ['text', 'a text'],
  ['object', { list: [1, 2, 3] }],
  ['żółw', 'ż'],
  ['last', null],
];

const changes: [string, (dict: Dict) => unknown][] = [
  ['set a new number', (dict) => dict.set('new', 5)],
  ['set a new object, of a wide key', (dict) => dict.set('nowyż', { a: 'b'.repeat(300) })],
  ['set a number over a number', (dict) => dict.set('number', 2)],
  ['set a text over a number', (dict) => dict.set('number', 'x'.repeat(100))],
  ['set a number over an object', (dict) => dict.set('object', 7)],
  ['set what lives for a while', (dict) => dict.set('text', 'soon', { ttl: 1_000_000 })],
  ['delete', (dict) => dict.delete('text')],
  ['delete of a wide key', (dict) => dict.delete('żółw')],
  ['add to a number', (dict) => dict.add('number', 5)],
  ['add to nothing', (dict) => dict.add('sum', 5)],
  ['update', (dict) => dict.update('object', () => ['other'])],
  ['compareAndSet', (dict) => dict.compareAndSet('last', null, 'not null')],
  ['setIfAbsent', (dict) => dict.setIfAbsent('absent', 1.5)],
  ['getOrSet', (dict) => dict.getOrSetSync('computed', () => 'value')],
  ['clear', (dict) => dict.clear()],
];

function created(options: SharedDictCreateOptions = { capacity }): Dict {
  return watched(() => SharedDict.create(options));
}

const stateOf = (dict: Dict): State => new Map([...dict].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Looks at the remaining dict as readers do, then uses it until it is empty. */
function outcome(dict: Dict, keys: readonly string[]): State {
  const seen = keys.map((key) => [key, dict.has(key), dict.get(key)] as const);
  const state = stateOf(dict);
  expect(seen).toStrictEqual(keys.map((key) => [key, state.has(key), state.get(key)]));
  expect(dict.size).toBe(state.size);
  dict.set('goes on', { n: 1 });
  expect(dict.get('goes on')).toEqual({ n: 1 });
  expect([...state.keys(), 'goes on'].filter((key) => !dict.delete(key))).toEqual([]);
  // A value whose computation has stopped does not exist for any reader, but its key can be deleted.
  expect(keys.filter((key) => dict.delete(key))).toEqual([]);
  expect([dict.size, [...dict]]).toEqual([0, []]);
  // No memory is lost.
  expect(dict.bytesUsed).toBe(0);
  return state;
}

function corpse(options: SharedDictCreateOptions = { capacity }): Corpse<Dict> {
  return new Corpse(SharedDict.create(options), (name) => watched(() => SharedDict.attach(name)));
}

function sameAsOneOf(state: State, before: State, now: State): boolean {
  const text = (one: State) => JSON.stringify([...one]);
  return text(state) === text(before) || text(state) === text(now);
}

describe.runIf(onLinux)('who is killed before any store of', () => {
  let steps = 0;

  for (const many of [false, true]) {
    const where = many ? 'a dict whose table grows' : 'a small dict';
    it.each(changes)(`%s, in ${where}, leaves all of it or nothing`, (_, change) => {
      using dict = temporary(created());
      for (const [key, value] of initial) dict.set(key, value);
      // With one more entry, a bucket is split.
      if (many) for (const key of manyKeys.slice(0, 64 - initial.length)) dict.set(key, key);
      const before = stateOf(dict);
      const images = imagesOf(dict, () => change(dict));
      const now = stateOf(dict);
      using left = corpse();
      const keys = [...new Set([...before.keys(), ...now.keys(), 'computed'])];
      const changed = images.map((image) => {
        const state = left.after(image, (dict) => outcome(dict, keys));
        expect(sameAsOneOf(state, before, now)).toBe(true);
        return JSON.stringify([...state]) === JSON.stringify([...now]);
      });
      steps += images.length;
      // Once the change is there, it stays there.
      expect(changed.at(-1)).toBe(true);
      if (before.size !== now.size) expect(changed[0]).toBe(false);
      expect(changed.lastIndexOf(false)).toBeLessThan(
        !changed.includes(true) ? Infinity : images.length,
      );
      expect(changed).toEqual([...changed].sort());
    });
  }

  it.each<[string, (dict: Dict) => number]>([
    ['size', (dict) => dict.size],
    ['bytesUsed', (dict) => dict.bytesUsed],
  ])('the first set is not counted by %s before it is there', (_, count) => {
    using dict = temporary(created());
    const images = imagesOf(dict, () => dict.set('key', 'a value that takes some bytes'));
    using left = corpse();
    const seen = images.map((image) =>
      left.after(image, (dict) => [count(dict) > 0, dict.has('key')]),
    );
    expect(seen.filter(([isCounted, isThere]) => isCounted !== isThere)).toEqual([]);
    expect([seen[0], seen.at(-1)]).toEqual([
      [false, false],
      [true, true],
    ]);
  });

  it.each(changes)('the recovery from a half %s leaves the same', (_, change) => {
    using dict = temporary(created());
    for (const [key, value] of initial) dict.set(key, value);
    for (const key of manyKeys.slice(0, 64 - initial.length)) dict.set(key, key);
    const before = stateOf(dict);
    const images = imagesOf(dict, () => change(dict));
    const now = stateOf(dict);
    using left = corpse();
    const keys = [...new Set([...before.keys(), ...now.keys(), 'computed'])];
    for (let i = 0; i < images.length; i += Math.ceil(images.length / 6)) {
      const halfway = left.after(images[i]!, (half) =>
        imagesOf(half, () => half.delete('nothing')),
      );
      for (const image of halfway) {
        expect(
          sameAsOneOf(
            left.after(image, (dict) => outcome(dict, keys)),
            before,
            now,
          ),
        ).toBe(true);
      }
      steps += halfway.length;
    }
  });

  it('an eviction has removed entries one by one, and harmed no other', () => {
    const options = { capacity: 1 << 16, eviction: 'lru' } as const;
    using dict = temporary(created(options));
    const text = 'x'.repeat(500);
    for (let i = 0; i < 200; i++) dict.set(`key ${i}`, text);
    const images = imagesOf(dict, () => dict.set('large', 'y'.repeat(1500)));
    using left = corpse(options);
    let last = Infinity;
    const keys = [...dict.keys(), 'large'];
    // Every third image, which is a different one of the stores of each eviction.
    for (let i = 0; i < images.length; i += 3) {
      const state = left.after(images[i]!, (dict) => outcome(dict, keys));
      for (const [key, value] of state) if (key !== 'large') expect(value).toBe(text);
      expect(state.size).toBeLessThanOrEqual(last + 1);
      last = state.size;
    }
    steps += images.length;
    expect(images.length).toBeGreaterThan(50);
  });

  it('happened at thousands of steps', () => {
    console.log(`${steps} steps`);
    expect(steps).toBeGreaterThan(2000);
  });
});
