// A list as a process leaves it that is killed before any of the stores of a change, or of the recovery
// from that. The change is there as a whole or not at all, and no memory is lost. The library must be
// imported after the typed arrays that it uses were replaced.
import { atEachStore, watched } from '../../fixtures/stores';
import { SharedList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Corpse, imageOf, imagesBefore } from '../../support/corpses';
import { onLinux } from '../../support/system';
import { temporary } from '../../support/temporaries';

type List = SharedList;

const capacity = 1 << 17;
/** A directory of at most 16 chunks, and one chunk, with the arena's overhead for each. */
const leastBytes = 72 + 1032 + 16;

const few = [1, 'a text of some length', { list: [1, 2, 3] }, 'ż', null, 2.5, 'another text'];
const many = Array.from({ length: 448 }, (_, i) => (i % 9 === 0 ? `a text, the ${i}th` : i));
const texts = Array.from({ length: 90 }, (_, i) => `a new text, the ${i}th`);

const changes: [string, (list: List) => unknown][] = [
  ['push of a number', (list) => list.push(5)],
  ['push of an object', (list) => list.push({ a: 'b'.repeat(300) })],
  ['push of many', (list) => list.push(...texts)],
  ['unshift of a number', (list) => list.unshift(5)],
  ['unshift of many', (list) => list.unshift(...texts)],
  ['pop', (list) => list.pop()],
  ['shift', (list) => list.shift()],
  ['set of a number over a number', (list) => list.set(5, 3)],
  ['set of a text over a number', (list) => list.set(0, 'x'.repeat(100))],
  ['set of a number over a text', (list) => list.set(1, 7)],
  ['set of a text over a text', (list) => list.set(6, 'a third, and longer text')],
  ['add', (list) => list.add(5, 1)],
  ['update', (list) => list.update(2, () => ['other', 'things'])],
  ['compareAndSet', (list) => list.compareAndSet(4, null, 'not null any more')],
  ['splice that removes in front', (list) => list.splice(1, 2)],
  ['splice that removes behind', (list) => list.splice(-4, 3)],
  ['splice that removes the first', (list) => list.splice(0, 5)],
  ['splice that removes the last', (list) => list.splice(3)],
  ['splice that inserts in front', (list) => list.splice(1, 0, 'x', 'a text that is new', 5)],
  ['splice that inserts behind', (list) => list.splice(-1, 0, 'x', 'a text that is new', 5)],
  ['splice that replaces', (list) => list.splice(2, 3, 'x', 'a text that is new', 5)],
  ['splice that replaces more by less', (list) => list.splice(-6, 5, 'a text that is new')],
  ['splice that inserts many', (list) => list.splice(2, 1, ...texts)],
  ['clear', (list) => list.clear()],
];

function created(): List {
  return watched(() => SharedList.create({ capacity }));
}

/** Looks at the remaining list as readers do, then uses it until it is empty. */
function outcome(list: List): string {
  const seen = Array.from({ length: list.length }, (_, i) => list.at(i));
  const state = list.toArray();
  expect(seen).toEqual(state);
  expect(list.push('goes on', { n: 1 })).toBe(state.length + 2);
  expect(list.unshift('first of all, and a text')).toBe(state.length + 3);
  expect([list.shift(), list.pop(), list.pop()]).toEqual([
    'first of all, and a text',
    { n: 1 },
    'goes on',
  ]);
  expect(list.splice(0)).toEqual(state);
  expect([list.length, list.toArray()]).toEqual([0, []]);
  expect(list.bytesUsed).toBeLessThanOrEqual(leastBytes);
  list.clear();
  expect(list.bytesUsed).toBe(0);
  return JSON.stringify(state);
}

/**
 * The images that a kill leaves before each store of an action. If there are very many, only some of them.
 */
function imagesOf(list: List, act: () => unknown, most = 700): Buffer[] {
  using image = imageOf(list);
  let stores = 0;
  const begin = image.take();
  atEachStore(() => stores++, act);
  const once = list.toArray();
  const end = image.take();
  // Memory that was added is never removed.
  begin.set(end.subarray(0, 4));
  image.put(begin);
  const every = Math.ceil(stores / most);
  const images = imagesBefore(list, act, (n) => n % every === 0);
  expect(list.toArray(), 'the same again').toEqual(once);
  images.push(end);
  return images;
}

function corpse(attach = (name: string): List => SharedList.attach(name)): Corpse<List> {
  return new Corpse(SharedList.create({ capacity }), attach);
}

describe.runIf(onLinux)('who is killed before any store of', () => {
  describe.each([
    ['a short list', few, 0],
    ['a list that begins behind its middle', few, 445],
    ['a list that is full as it is', [...few, ...many.slice(2 * few.length), ...few], 0],
  ])('a change of %s', (_, elements, skipped) => {
    it.each(changes)('%s, leaves all of it or nothing', (_, change) => {
      using list = temporary(created());
      for (let i = 0; i < skipped; i++) {
        list.push(i);
        list.shift();
      }
      list.push(...elements);
      const before = JSON.stringify(list.toArray());
      const images = imagesOf(list, () => change(list));
      const now = JSON.stringify(list.toArray());
      using left = corpse();
      const changed = images.map((bytes) => {
        const state = left.after(bytes, outcome);
        if (state !== before && state !== now) expect(state).toBe('as before or as now');
        return state === now;
      });
      // Once the change is there, it stays there.
      expect([changed[0], changed.at(-1)]).toEqual([before === now, true]);
      expect(changed).toEqual([...changed].sort());
    });
  });

  it.each(changes.filter(([what]) => what.startsWith('splice') || what.includes('many')))(
    'the recovery from a half %s, leaves the same',
    (_, change) => {
      using list = temporary(created());
      list.push(...few);
      const before = JSON.stringify(list.toArray());
      const images = imagesOf(list, () => change(list), 12);
      const now = JSON.stringify(list.toArray());
      using left = corpse((name) => watched(() => SharedList.attach(name)));
      using twice = corpse();
      const isTaken = (n: number) => (n < 40 ? n % 7 === 0 : n % 97 === 0);
      for (const bytes of images) {
        const [state, again] = left.after(bytes, (half) => {
          const images = imagesBefore(half, () => half.at(0), isTaken);
          return [JSON.stringify(half.toArray()), images] as const;
        });
        expect([before, now]).toContain(state);
        for (const half of again) expect(twice.after(half, outcome)).toBe(state);
      }
    },
  );
});
