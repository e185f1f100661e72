// What a full dict evicts to store a value: about as much as the value takes, and nothing when it cannot be
// stored.
import { describe, expect, it } from 'vitest';
import { SharedDict } from 'shmkit';
import { randomNumbers } from '../../support/structures';

const KiB = 1024;

/** Stores entries until there is no room, or until the first stored entry is gone. */
function fill(dict: SharedDict, size: (i: number) => number, ttl?: number): number {
  for (let i = 0; ; i++) {
    try {
      dict.set(`key${i}`, 'v'.repeat(size(i)), ttl === undefined ? {} : { ttl });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_CAPACITY' });
      return i;
    }
    if (dict.size < i - 100) return i;
  }
}

function bytesOf(dict: SharedDict): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const [key, value] of dict) bytes.set(key, (value as string).length);
  return bytes;
}

function gone(before: Map<string, number>, after: Map<string, number>): number {
  let bytes = 0;
  // Includes the overhead of each entry.
  for (const [key, size] of before) if (!after.has(key)) bytes += size + 48;
  return bytes;
}

function withDict<T>(dict: SharedDict, act: (dict: SharedDict) => T): T {
  try {
    return act(dict);
  } finally {
    dict.unlink();
    dict.close();
  }
}

describe('a full dict that evicts', () => {
  const shapes: [what: string, size: (i: number) => number][] = [
    ['small entries', () => 40],
    ['entries of 4 KiB', () => 4 * KiB],
    ['entries of all sizes', (i) => (i * 7919) % 3000],
    ['small ones among large ones', (i) => (i % 50 === 0 ? 8 * KiB : 20)],
  ];
  it.each(shapes)(
    'of %s: a value of whatever size is stored, and costs about its size',
    (_, size) => {
      withDict(SharedDict.create({ capacity: 4096 * KiB, eviction: 'lru' }), (dict) => {
        fill(dict, size);
        for (const wanted of [16, 100, 300, 64, 1024, 16, 2048, 512]) {
          const before = bytesOf(dict);
          dict.set('big', 'B'.repeat(wanted * KiB));
          const after = bytesOf(dict);
          expect(dict.get('big')).toBe('B'.repeat(wanted * KiB));
          before.delete('big');
          // The last evicted entry may be larger than the missing room.
          expect(gone(before, after), `${wanted} KiB`).toBeLessThan(3.5 * wanted * KiB + 8 * KiB);
          expect(after.size).toBe(dict.size);
          fill(dict, size);
        }
      });
    },
  );

  it('keeps all when a value is too large', () => {
    withDict(SharedDict.create({ capacity: 1024 * KiB, eviction: 'lru' }), (dict) => {
      fill(dict, () => 40);
      const before = bytesOf(dict);
      for (const wanted of [1024, 1025, 10_000]) {
        const code = expect.objectContaining({ code: 'ERR_CAPACITY' }) as Error;
        expect(() => dict.set('big', 'B'.repeat(wanted * KiB))).toThrow(code);
        expect(bytesOf(dict)).toEqual(before);
      }
    });
  });

  it('stores what takes all there is', () => {
    withDict(SharedDict.create({ capacity: 4096 * KiB, eviction: 'lru' }), (dict) => {
      fill(dict, () => 40);
      const most = 'B'.repeat(dict.capacity - 100);
      dict.set('big', most);
      expect(dict.get('big')).toBe(most);
      dict.set('small', 1);
      expect(dict.get('small')).toBe(1);
    });
  });

  it('never evicts what somebody computes', async () => {
    using dict = SharedDict.create({ capacity: 256 * KiB, eviction: 'lru' });
    fill(dict, () => 40);
    let computed!: Promise<string>;
    const resolve = await new Promise<(value: string) => void>((begun) => {
      computed = dict.getOrSet('computed', () => new Promise<string>(begun)) as Promise<string>;
    });
    for (let i = 0; i < 50; i++) dict.set('big', 'B'.repeat((i + 1) * 2 * KiB));
    resolve('here');
    expect(await computed).toBe('here');
    expect(dict.get('computed')).toBe('here');
    dict.unlink();
  });

  it('is what it should be after any mixture', () => {
    const random = randomNumbers(42);
    withDict(SharedDict.create({ capacity: 2048 * KiB, eviction: 'lru' }), (dict) => {
      const model = new Map<string, string>();
      for (let i = 0; i < 12_000; i++) {
        const key = `k${random(20_000)}`;
        const size = random(100) < 97 ? random(60) : random(200_000);
        const value = `${i}`.padEnd(size, '.');
        dict.set(key, value);
        model.set(key, value);
        if (random(20) === 0) {
          const other = `k${random(20_000)}`;
          dict.delete(other);
          model.delete(other);
        }
      }
      let count = 0;
      for (const [key, value] of dict) {
        if (value !== model.get(key)) throw new Error(`${key} is another`);
        count++;
      }
      expect(count).toBe(dict.size);
      // By chance there may be many more or fewer, but there are more than were set since the last large
      // value.
      expect(count).toBeGreaterThan(100);
      for (const key of dict.keys()) dict.delete(key);
      expect(dict.size).toBe(0);
      dict.set('all', 'B'.repeat(dict.capacity - 100));
      expect(dict.bytesUsed).toBeGreaterThan(dict.capacity - 100);
    });
  });
});

describe('a dict that does not evict', () => {
  it('has room for a large value when small ones were deleted', () => {
    withDict(SharedDict.create({ capacity: 4096 * KiB }), (dict) => {
      const count = fill(dict, () => 40);
      for (let i = 0; i < count; i++) if (i % 1000 !== 0) dict.delete(`key${i}`);
      const left = bytesOf(dict);
      for (let i = 0; i < count; i += 1000) if (i !== 5000) dict.delete(`key${i}`);
      dict.set('big', 'B'.repeat(1500 * KiB));
      expect(dict.get('big')).toBe('B'.repeat(1500 * KiB));
      expect(dict.get('key5000')).toBe('v'.repeat(40));
      expect(left.size).toBeGreaterThan(1);
      dict.delete('big');
      dict.delete('key5000');
      dict.set('all', 'B'.repeat(dict.capacity - 100));
      expect([...dict.keys()]).toEqual(['all']);
    });
  });

  it('has room for a large value when the time of small ones is over', async () => {
    using dict = SharedDict.create({ capacity: 2048 * KiB });
    // The first of these are evicted when there is no more room.
    for (let i = 0; i < 25_000; i++) dict.set(`key${i}`, 'v'.repeat(40), { ttl: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    dict.set('big', 'B'.repeat(1024 * KiB));
    expect(dict.get('big')).toBe('B'.repeat(1024 * KiB));
    dict.unlink();
  });

  it('loses nothing when there is no room', () => {
    withDict(SharedDict.create({ capacity: 1024 * KiB }), (dict) => {
      fill(dict, () => 40);
      const before = bytesOf(dict);
      for (const wanted of [1, 20, 500, 1000]) {
        expect(() => dict.set('big', 'B'.repeat(wanted * KiB))).toThrow(/no room/);
      }
      expect(bytesOf(dict)).toEqual(before);
    });
  });
});
