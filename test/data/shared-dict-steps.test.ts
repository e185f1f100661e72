// A dict as it is left by who is killed before any one of the stores of a change, or of the recovery
// from that: the change is there as a whole or not at all, and everything else is as it was.
import { describe, expect, it } from 'vitest';
// The library comes after the typed arrays were replaced that it is going to use.
import { atEachStore, watched } from '../support/stores';
import { SharedDict } from 'shmkit';
import { Image } from '../support/images';
import { uniqueName } from '../support/names';
import { onLinux } from '../support/system';

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

function temporary(make: (name: string) => Dict): Dict & Disposable {
  const dict = make(uniqueName('dict'));
  return Object.assign(dict, {
    [Symbol.dispose]() {
      dict.unlink();
      dict.close();
    },
  });
}

const stateOf = (dict: Dict): State => new Map([...dict].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Looks at what is left as readers do, then goes on using it, to the end. */
function outcome(dict: Dict, keys: readonly string[]): State {
  const seen = keys.map((key) => [key, dict.has(key), dict.get(key)] as const);
  const state = stateOf(dict);
  expect(seen).toStrictEqual(keys.map((key) => [key, state.has(key), state.get(key)]));
  expect(dict.size).toBe(state.size);
  dict.set('goes on', { n: 1 });
  expect(dict.get('goes on')).toEqual({ n: 1 });
  expect([...state.keys(), 'goes on'].filter((key) => !dict.delete(key))).toEqual([]);
  // One that is being computed by nobody any more is not there for anyone, but to be deleted.
  expect(keys.filter((key) => dict.delete(key))).toEqual([]);
  expect([dict.size, [...dict]]).toEqual([0, []]);
  // Nothing is lost of the memory.
  expect(dict.bytesUsed).toBe(0);
  return state;
}

/** The images that a kill before each store of something leaves. */
function imagesOf(dict: Dict, act: () => unknown): Buffer[] {
  using image = new Image('dict', dict.name);
  const images: Buffer[] = [];
  atEachStore(() => images.push(image.take()), act);
  images.push(image.take());
  return images;
}

/** Does something to a dict that is as an image says, and that was just attached. */
function after<T>(corpse: Dict, image: Buffer, look: (dict: Dict) => T): T {
  {
    using bytes = new Image('dict', corpse.name);
    bytes.put(image);
  }
  const dict = watched(() => SharedDict.attach(corpse.name));
  try {
    return look(dict);
  } finally {
    dict.close();
  }
}

/** A dict to put images into, that nobody here is attached to in between. */
function corpseOf(dict: Dict): Dict & Disposable {
  const corpse = SharedDict.create({
    name: uniqueName('dict'),
    capacity,
    ...(dict.eviction && { eviction: dict.eviction }),
  });
  corpse.close();
  return Object.assign(corpse, { [Symbol.dispose]: () => corpse.unlink() });
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
      using dict = temporary((name) => watched(() => SharedDict.create({ name, capacity })));
      for (const [key, value] of initial) dict.set(key, value);
      // One entry more, and a bucket is split.
      if (many) for (const key of manyKeys.slice(0, 64 - initial.length)) dict.set(key, key);
      const before = stateOf(dict);
      const images = imagesOf(dict, () => change(dict));
      const now = stateOf(dict);
      using corpse = corpseOf(dict);
      const keys = [...new Set([...before.keys(), ...now.keys(), 'computed'])];
      const changed = images.map((image) => {
        const state = after(corpse, image, (left) => outcome(left, keys));
        expect(sameAsOneOf(state, before, now)).toBe(true);
        return JSON.stringify([...state]) === JSON.stringify([...now]);
      });
      steps += images.length;
      // Once it is there it stays there.
      expect(changed.at(-1)).toBe(true);
      if (before.size !== now.size) expect(changed[0]).toBe(false);
      expect(changed.lastIndexOf(false)).toBeLessThan(
        !changed.includes(true) ? Infinity : images.length,
      );
      expect(changed).toEqual([...changed].sort());
    });
  }

  it.each(changes)('the recovery from a half %s leaves the same', (_, change) => {
    using dict = temporary((name) => watched(() => SharedDict.create({ name, capacity })));
    for (const [key, value] of initial) dict.set(key, value);
    for (const key of manyKeys.slice(0, 64 - initial.length)) dict.set(key, key);
    const before = stateOf(dict);
    const images = imagesOf(dict, () => change(dict));
    const now = stateOf(dict);
    using corpse = corpseOf(dict);
    const keys = [...new Set([...before.keys(), ...now.keys(), 'computed'])];
    for (let i = 0; i < images.length; i += Math.ceil(images.length / 6)) {
      const halfway = after(corpse, images[i]!, (left) =>
        imagesOf(left, () => left.delete('nothing')),
      );
      for (const image of halfway) {
        expect(
          sameAsOneOf(
            after(corpse, image, (left) => outcome(left, keys)),
            before,
            now,
          ),
        ).toBe(true);
      }
      steps += halfway.length;
    }
  });

  it('an eviction has removed entries one by one, and harmed no other', () => {
    const full = 1 << 16;
    using dict = temporary((name) =>
      watched(() => SharedDict.create({ name, capacity: full, eviction: 'lru' })),
    );
    const text = 'x'.repeat(500);
    for (let i = 0; i < 200; i++) dict.set(`key ${i}`, text);
    const images = imagesOf(dict, () => dict.set('large', 'y'.repeat(1500)));
    const corpse = SharedDict.create({ capacity: full, eviction: 'lru' });
    corpse.close();
    let last = Infinity;
    const keys = [...dict.keys(), 'large'];
    // Every third, which is another one of the stores of each eviction.
    for (let i = 0; i < images.length; i += 3) {
      const state = after(corpse, images[i]!, (left) => outcome(left, keys));
      for (const [key, value] of state) if (key !== 'large') expect(value).toBe(text);
      expect(state.size).toBeLessThanOrEqual(last + 1);
      last = state.size;
    }
    corpse.unlink();
    steps += images.length;
    expect(images.length).toBeGreaterThan(50);
  });

  it('happened at thousands of steps', () => {
    console.log(`${steps} steps`);
    expect(steps).toBeGreaterThan(2000);
  });
});
