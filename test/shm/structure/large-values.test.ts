// A large value is read with about one copy, whatever other threads change meanwhile. It is never a mix of
// the old value and the new one.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SharedDict, SharedList } from 'shmkit';
import { uniqueName } from '../../support/names';

const library = require.resolve('shmkit');
const size = 1 << 20;
/** How many copies a reader makes at most: three that fail, and one under the lock. */
const mostCopies = 4;
const reads = 10;

/** Runs another thread, which repeats an action until it is stopped. */
async function busy<T>(name: string, kind: string, source: string, act: () => T): Promise<T> {
  const stop = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(
    `const { workerData: stop } = require('node:worker_threads');
     const o = require(${JSON.stringify(library)}).${kind}.attach(${JSON.stringify(name)});
     for (let i = 0; Atomics.load(stop, 0) === 0; i++) { ${source}; Atomics.store(stop, 1, i); }
     o.close();`,
    { eval: true, workerData: stop },
  );
  const end = once(worker, 'exit');
  const turns = () => Atomics.load(stop, 1);
  try {
    for (let waits = 0; turns() < 3 && waits < 3000; waits++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const before = turns();
    const result = act();
    expect(before).toBeGreaterThanOrEqual(3);
    return result;
  } finally {
    Atomics.store(stop, 0, 1);
    expect(await end).toEqual([0]);
  }
}

describe('a large value', () => {
  const slice = Reflect.get(Uint8Array.prototype, 'slice');
  let copies = 0;

  beforeAll(() => {
    Uint8Array.prototype.slice = function (this: Uint8Array<ArrayBuffer>, from, to) {
      const copy = slice.call(this, from, to);
      if (copy.length === size) copies++;
      return copy;
    };
  });
  beforeEach(() => void (copies = 0));
  afterAll(() => void (Uint8Array.prototype.slice = slice));

  const whole = (value: unknown): void => {
    const bytes = value as Uint8Array;
    expect(bytes.length).toBe(size);
    if (!bytes.every((byte) => byte === bytes[0])) throw new Error('half of one');
  };

  // With as many keys as there are stripes, some keys share a stripe.
  const small = `for (let k = 0; k < 400; k++) o.set('k' + k, 'x'.repeat(1 + (i + k) % 40))`;
  const large = `o.set('big', new Uint8Array(${size}).fill(i % 251))`;

  it.each([
    ['small ones', small],
    ['itself', large],
  ])('of a dict is copied once, or a few times, beside changes of %s', async (_, source) => {
    const name = uniqueName('dict');
    using dict = SharedDict.create({ name });
    dict.set('big', new Uint8Array(size).fill(7));
    await busy(name, 'SharedDict', source, () => {
      for (let i = 0; i < reads; i++) whole(dict.get('big'));
      expect(copies).toBeLessThanOrEqual(mostCopies * reads);
      copies = 0;
      for (let i = 0; i < reads; i++)
        for (const [key, value] of dict) if (key === 'big') whole(value);
      expect(copies).toBeLessThanOrEqual(mostCopies * reads);
    });
    dict.unlink();
  });

  it.each([
    ['small ones', `o.push('x'.repeat(30)); if (i % 100 === 99) while (o.length > 1) o.pop()`],
    ['itself', `o.set(0, new Uint8Array(${size}).fill(i % 251))`],
  ])('of a list is copied once, or a few times, beside changes of %s', async (_, source) => {
    const name = uniqueName('list');
    using list = SharedList.create({ name });
    list.push(new Uint8Array(size).fill(7));
    await busy(name, 'SharedList', source, () => {
      for (let i = 0; i < reads; i++) whole(list.at(0));
      expect(copies).toBeLessThanOrEqual(mostCopies * reads);
      copies = 0;
      for (let i = 0; i < reads; i++) whole(list.slice(0, 1)[0]);
      expect(copies).toBeLessThanOrEqual((mostCopies + 1) * reads);
    });
    list.unlink();
  });

  it('is what was set last, of every kind that there is', () => {
    using dict = SharedDict.create({ ttl: 60_000 });
    using list = SharedList.create();
    const text = 'x'.repeat(20_000);
    const values = [
      text,
      `${text}\u{1F600}`,
      new Uint8Array(50_000).fill(3),
      { text },
      [text, text],
      1,
    ];
    for (const value of values) {
      for (const key of ['a', 'b']) dict.set(key, value);
      list.push(value);
      expect(dict.get('a')).toEqual(value);
      expect(Object.fromEntries(dict)).toEqual({ a: value, b: value });
      expect(list.at(-1)).toEqual(value);
    }
    expect(list.slice()).toEqual(values);
    dict.unlink();
    list.unlink();
  });
});
