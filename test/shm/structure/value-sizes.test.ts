// Values that are larger than a structure can record. They would be stored, and could not be read again.
import { SharedDict, SharedList, SharedNamespace, SharedQueue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Encoder } from '../../../lib/values/codec';
import { expectCode, expectRejection } from '../../support/errors';
import { temporary } from '../../support/temporaries';

/** The greatest sizes, as listed in docs/errors.md. */
const most = { word: 2 ** 31 - 64, list: 2 ** 28 - 1 };

/** Nothing touches these bytes, so they are only address space, and no memory. */
const bytes = (length: number) => new Uint8Array(length);

type Verb<T> = [string, (of: T, value: Uint8Array) => unknown];

const dictVerbs: Verb<SharedDict>[] = [
  ['set', (dict, value) => dict.set('k', value)],
  ['set of a new key', (dict, value) => dict.set('new', value)],
  ['set with a time', (dict, value) => dict.set('k', value, { ttl: 1e6 })],
  ['setIfAbsent', (dict, value) => dict.setIfAbsent('new', value)],
  ['update', (dict, value) => dict.update('k', () => value)],
  ['compareAndSet', (dict, value) => dict.compareAndSet('k', 'small', value)],
  ['getOrSetSync', (dict, value) => dict.getOrSetSync('new', () => value)],
];

const listVerbs: Verb<SharedList>[] = [
  ['set', (list, value) => list.set(0, value)],
  ['push', (list, value) => list.push(value)],
  ['push of several', (list, value) => list.push(1, value, 2)],
  ['unshift', (list, value) => list.unshift(value)],
  ['unshift of several', (list, value) => list.unshift(1, value, 2)],
  ['splice', (list, value) => list.splice(1, 0, value)],
  ['update', (list, value) => list.update(0, () => value)],
  ['compareAndSet', (list, value) => list.compareAndSet(0, 'small', value)],
];

describe.each([
  ['one byte more than may be', 1],
  ['2 GiB', 2 ** 31 - most.word],
  ['3 GiB', 3 * 2 ** 30 - most.word],
])('a value of %s', (_, more) => {
  const tooLarge = most.word + more;
  const said = [`${tooLarge} bytes`, `at most ${most.word} bytes`];

  it.each(dictVerbs)('is refused by %s of a dict, which stays as it was', (_verb, act) => {
    using dict = temporary(SharedDict.create({ capacity: 2 ** 32 }));
    dict.set('k', 'small').set('other', 1);
    const { bytesUsed } = dict;
    expectCode(() => act(dict, bytes(tooLarge)), 'ERR_CAPACITY', dict.name, ...said);
    expect([dict.bytesUsed, dict.size]).toEqual([bytesUsed, 2]);
    expect(new Map(dict)).toEqual(
      new Map<string, unknown>(Object.entries({ k: 'small', other: 1 })),
    );
    dict.set('new', 2);
    expect([...dict.keys()].sort()).toEqual(['k', 'new', 'other']);
  });

  it('is refused by getOrSet of a dict, and another computes it', async () => {
    using dict = temporary(SharedDict.create({ capacity: 2 ** 32 }));
    const large = dict.getOrSet('k', () => bytes(tooLarge));
    await expectRejection(large, 'ERR_CAPACITY', dict.name, ...said);
    expect(await dict.getOrSet('k', () => 1)).toBe(1);
  });

  it('is refused as a property of a namespace', () => {
    using namespace = temporary(SharedNamespace.create({ capacity: 2 ** 32 }));
    const assign = () => void (namespace.values.x = bytes(tooLarge));
    expectCode(assign, 'ERR_CAPACITY', namespace.name, ...said);
    expect(Object.keys(namespace.values)).toEqual([]);
  });

  it('is refused by a queue without a wait, be it full or not', async () => {
    using queue = temporary(SharedQueue.create({ capacity: 2 ** 32, maxSize: 1 }));
    for (const count of [0, 1]) {
      expect([queue.size, queue.unfinished]).toEqual([count, count]);
      expectCode(() => queue.putSync(bytes(tooLarge)), 'ERR_CAPACITY', queue.name, ...said);
      expectCode(() => queue.tryPut(bytes(tooLarge)), 'ERR_CAPACITY', queue.name, ...said);
      await expectRejection(queue.put(bytes(tooLarge)), 'ERR_CAPACITY', queue.name, ...said);
      if (count === 0) queue.putSync('small');
    }
    expect(queue.getSync()).toBe('small');
  });

  it('is no value that anything has', () => {
    using dict = temporary(SharedDict.create());
    dict.set('k', 'small');
    expect(dict.compareAndSet('k', bytes(tooLarge), 1)).toBe(false);
    using list = temporary(SharedList.create());
    list.push('small');
    expect(list.indexOf(bytes(tooLarge))).toBe(-1);
    expect(list.compareAndSet(0, bytes(tooLarge), 1)).toBe(false);
  });
});

describe.each([
  ['one byte more than may be', 1],
  ['2 GiB', 2 ** 31 - most.list],
])('a value of %s', (_, more) => {
  it.each(listVerbs)('is refused by %s of a list, which stays as it was', (_verb, act) => {
    const tooLarge = most.list + more;
    const said = [`${tooLarge} bytes`, `at most ${most.list} bytes`];
    using list = temporary(SharedList.create({ capacity: 2 ** 32 }));
    list.push('small', 2);
    expectCode(() => act(list, bytes(tooLarge)), 'ERR_CAPACITY', list.name, ...said);
    expect(list.toArray()).toEqual(['small', 2]);
    list.push(3);
    expect(list.toArray()).toEqual(['small', 2, 3]);
  });
});

describe('an encoder', () => {
  const limit = {
    mostValueBytes: 100,
    tooLarge: (size: number) => new RangeError(`${size} of 100`),
  };

  it.each<[string, unknown, number]>([
    ['bytes', new Uint8Array(101), 101],
    ['a string', 'x'.repeat(101), 101],
    ['a string of two bytes a character', 'ż'.repeat(51), 102],
    ['an object', { text: 'x'.repeat(95) }, 0],
    ['what the engine packs', { holes: [, 'x'.repeat(95)] }, 0], // eslint-disable-line no-sparse-arrays
    ['a bigint', 1n << 900n, 0],
  ])('refuses %s that would be too large, and takes what is not', (_, value, size) => {
    const encoder = new Encoder(limit);
    const said = size === 0 ? /^1\d\d of 100$/ : `${size} of 100`;
    expect(() => encoder.encode('value', value)).toThrow(said);
    expect(new Encoder().encode('value', value).size).toBeGreaterThan(100);
    expect(encoder.encode('value', new Uint8Array(100)).size).toBe(100);
  });
});

describe('the time that it takes to pack a value', () => {
  it('is part of the time that it may take to put it', async () => {
    using queue = temporary(SharedQueue.create({ maxSize: 1 }));
    queue.putSync(1);
    const turns: string[] = [];
    setImmediate(() => turns.push('the event loop went on'));
    const value = {
      get slow(): string {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
        return 'packed';
      },
    };
    const late = queue.put(value, { timeout: 100 });
    await expectRejection(late, 'ERR_TIMEOUT', queue.name, 'within 100 ms');
    // There was no time left to wait.
    expect(turns).toEqual([]);
  });
});
