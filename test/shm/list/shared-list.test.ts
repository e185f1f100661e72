import { SharedDict, SharedList, SharedValue, attach, type SharedListHandle } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary } from '../../support/temporaries';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { start } from '../../support/children';
import { values } from '../../suites/values';

function create(...elements: unknown[]): SharedList & Disposable {
  const list = temporary(SharedList.create({ name: uniqueName('list') }));
  list.push(...elements);
  return list;
}

function createNumbers(...elements: number[]): SharedList<number> & Disposable {
  return create(...elements) as SharedList<number> & Disposable;
}

describe('a list', () => {
  it('is an array by its verbs', () => {
    using list = create('a', 'b', 'c');
    expect(list.length).toBe(3);
    expect([list.at(0), list.at(2), list.at(-1), list.at(-3), list.at(3), list.at(-4)]).toEqual([
      'a',
      'c',
      'c',
      'a',
      undefined,
      undefined,
    ]);
    expect([list.push('d'), list.push('e', 'f'), list.push(), list.unshift('z', 'y')]).toEqual([
      4, 6, 6, 8,
    ]);
    expect(list.toArray()).toEqual(['z', 'y', 'a', 'b', 'c', 'd', 'e', 'f']);
    expect([list.pop(), list.shift(), list.length]).toEqual(['f', 'z', 6]);
    list.set(0, { n: 1 });
    list.set(-1, 2);
    expect(list.slice()).toEqual([{ n: 1 }, 'a', 'b', 'c', 'd', 2]);
    expect([list.slice(1, 3), list.slice(-2), list.slice(2, -3), list.slice(5, 1)]).toEqual([
      ['a', 'b'],
      ['d', 2],
      ['b'],
      [],
    ]);
    expect(list.splice(1, 2, 'x', 'y', 'z')).toEqual(['a', 'b']);
    expect(list.splice(-2)).toEqual(['d', 2]);
    expect(list.toArray()).toEqual([{ n: 1 }, 'x', 'y', 'z', 'c']);
    list.clear();
    expect([list.length, list.pop(), list.shift(), list.toArray()]).toEqual([
      0,
      undefined,
      undefined,
      [],
    ]);
  });

  it('gives back every value that can be cloned', () => {
    using list = create(...values);
    for (const [i, value] of values.entries()) {
      expect(list.at(i)).toStrictEqual(value);
      list.push(value);
      expect(list.pop()).toStrictEqual(value);
      list.set(0, value);
      expect(list.at(0)).toStrictEqual(value);
    }
    expect(list.slice(1)).toStrictEqual(values.slice(1));
  });

  it('gives back shared objects attached', () => {
    using value = temporary(SharedValue.create({ type: 'int32', value: 5 }));
    using dict = temporary(SharedDict.create());
    using list = create(value, { dict });
    const [got, holder] = list.toArray() as unknown as [SharedValue<'int32'>, { dict: SharedDict }];
    got.add(1);
    holder.dict.set('a', list);
    expect(value.value).toBe(6);
    expect((dict.get('a') as SharedList).length).toBe(2);
    expect(list.indexOf(value)).toBe(0);
    for (const each of [got, holder.dict, dict.get('a') as SharedList]) each.close();
  });

  it('is searched as arrays are, and for objects by what is in them', () => {
    using list = create(1, NaN, 'a', { x: [1] }, 1, null, undefined, -0, 'a long text');
    expect([list.indexOf(1), list.indexOf(1, 1), list.indexOf(1, -3)]).toEqual([0, 4, -1]);
    expect([list.lastIndexOf(1), list.lastIndexOf(1, 3), list.lastIndexOf(1, -6)]).toEqual([
      4, 0, 0,
    ]);
    expect(list.lastIndexOf(1, -10)).toBe(-1);
    expect([list.indexOf(NaN), list.includes(NaN), list.includes(NaN, 2)]).toEqual([
      -1,
      true,
      false,
    ]);
    expect([list.indexOf(0), list.includes(0)]).toEqual([7, true]);
    expect([list.indexOf({ x: [1] }), list.indexOf({ x: [2] })]).toEqual([3, -1]);
    expect([list.indexOf('a'), list.indexOf('a long text'), list.indexOf('b')]).toEqual([2, 8, -1]);
    expect([list.indexOf(null), list.indexOf(undefined), list.includes(false)]).toEqual([
      5,
      6,
      false,
    ]);
  });

  it('is iterated, each element read when its turn comes', () => {
    using list = createNumbers(1, 2, 3);
    expect([...list]).toEqual([1, 2, 3]);
    expect([...list.keys()]).toEqual([0, 1, 2]);
    expect([...list.values()]).toEqual([1, 2, 3]);
    expect([...list.entries()]).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
    const met: unknown[] = [];
    list.forEach((...args) => met.push(args));
    expect(met).toEqual([
      [1, 0, list],
      [2, 1, list],
      [3, 2, list],
    ]);
    const seen: number[] = [];
    for (const n of list) {
      seen.push(n);
      if (n < 6) list.push(n + 3);
      if (n === 3) list.clear();
    }
    expect(seen).toEqual([1, 2, 3]);
  });

  it('changes elements atomically', () => {
    using list = create(1, 'a', { n: 1 });
    expect([list.add(0, 4), list.at(0), list.add(-3, -1), list.at(0)]).toEqual([1, 5, 5, 4]);
    expectCode(() => list.add(1, 1), 'ERR_INVALID_ARG_TYPE', 'element 1', 'number');
    expect(list.update(2, (value) => ({ n: (value as { n: number }).n + 1 }))).toEqual({ n: 2 });
    expect(list.update(-2, (value) => `${String(value)}b`)).toBe('ab');
    expect([
      list.compareAndSet(0, 5, 'no'),
      list.compareAndSet(0, 4, 'yes'),
      list.compareAndSet(2, { n: 2 }, null),
      list.compareAndSet(1, 'ab', NaN),
      list.compareAndSet(1, NaN, -0),
      list.compareAndSet(1, 0, 1),
    ]).toEqual([false, true, true, true, true, false]);
    expect(list.toArray()).toEqual(['yes', -0, null]);
  });

  it('stays as it was when a function throws, which cannot change it either', () => {
    using list = create(1, 2);
    using other = SharedList.attach(list.name);
    const error = new Error('no');
    expect(() =>
      list.update(0, () => {
        throw error;
      }),
    ).toThrow(error);
    list.update(0, (value) => {
      expect([list.at(0), other.toArray(), list.length, list.indexOf(2)]).toEqual([
        1,
        [1, 2],
        2,
        1,
      ]);
      expectCode(() => other.push(1), 'ERR_DEADLOCK', list.name);
      expectCode(() => list.clear(), 'ERR_DEADLOCK', list.name);
      expectCode(() => list.close(), 'EBUSY', list.name);
      return value;
    });
    expectCode(() => list.update(0, () => () => 1), 'ERR_INVALID_ARG_TYPE', 'what fn returns');
    expectCode(() => list.update(0, () => Promise.resolve(1)), 'ERR_INVALID_ARG_TYPE');
    expect(list.toArray()).toEqual([1, 2]);
  });

  it('takes long stretches at once, at both ends and in the middle', () => {
    using list = create();
    const model: unknown[] = [];
    const many = Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? `a text, the ${i}th` : i));
    expect(list.push(...many)).toBe(model.push(...many));
    expect(list.unshift(...many)).toBe(model.unshift(...many));
    expect(list.splice(2000, 5000, ...many)).toEqual(model.splice(2000, 5000, ...many));
    expect(list.splice(9000, 10, ...many)).toEqual(model.splice(9000, 10, ...many));
    expect(list.splice(100, 9000)).toEqual(model.splice(100, 9000));
    expect(list.toArray()).toEqual(model);
    expect(list.splice(0, 3000)).toEqual(model.splice(0, 3000));
    expect(list.splice(-1000)).toEqual(model.splice(-1000));
    expect(list.toArray()).toEqual(model);
  });

  it('gives back all its memory', () => {
    using list = create();
    expect(list.bytesUsed).toBe(0);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3000; i++) {
        list.push(`a text that is the ${i}th`);
        if (i % 3 === 1) list.shift();
        if (i % 5 === 0) list.set(-1, { i });
        if (i % 100 === 0) list.splice(i / 5, 7, 'some', 'text of length');
      }
      expect(list.bytesUsed).toBeGreaterThan(50_000);
      while (list.pop() !== undefined);
      expect(list.bytesUsed).toBeLessThan(2000);
      list.push(1, 'a text that is long');
      list.clear();
      expect(list.bytesUsed).toBe(0);
    }
  });

  it('that is full says so, and is as it was', () => {
    using list = temporary(SharedList.create({ name: uniqueName(), capacity: 1 << 17 }));
    expect(list.capacity).toBeLessThanOrEqual(1 << 17);
    let n = 0;
    expectCode(
      () => {
        for (;;) list.push(`${n++} is a text of some length`);
      },
      'ERR_CAPACITY',
      list.name,
    );
    n--;
    expect([list.length, list.at(-1)]).toEqual([n, `${n - 1} is a text of some length`]);
    list.splice(-20);
    const before = list.toArray();
    const used = list.bytesUsed;
    const texts = Array.from({ length: 400 }, () => 'a text of some length, and more');
    for (const act of [
      () => list.push(...texts),
      () => list.unshift(...texts),
      () => list.splice(5, 1, ...texts),
      () => list.splice(-5, 1, ...texts),
      () => list.set(3, 'x'.repeat(1 << 17)),
      () => list.update(3, () => new Uint8Array(1 << 20)),
      () => list.push(texts),
    ]) {
      expectCode(act, 'ERR_CAPACITY');
      expect(list.toArray()).toEqual(before);
      expect(Math.abs(list.bytesUsed - used)).toBeLessThan(3000);
    }
    expect(list.splice(10, 50)).toEqual(before.slice(10, 60));
    list.clear();
    expect(list.bytesUsed).toBe(0);
  });

  it.each([0, 1, 2])('refuses what cannot be cloned, by its index, and is as it was', (i) => {
    using list = create('a', 'b');
    const given: unknown[] = ['a text that is new', 2, { x: 1 }];
    given[i] = { f: () => 1 };
    const what = `values[${i}].f`;
    for (const act of [
      () => list.push(...given),
      () => list.unshift(...given),
      () => list.splice(1, 0, ...given),
    ]) {
      expectCode(act, 'ERR_INVALID_ARG_TYPE', what);
    }
    expectCode(() => list.push(Symbol('x')), 'ERR_INVALID_ARG_TYPE', /values\[0\]/);
    expectCode(() => list.set(0, () => 1), 'ERR_INVALID_ARG_TYPE', 'value');
    expectCode(() => list.indexOf(() => 1), 'ERR_INVALID_ARG_TYPE', 'value');
    expect(list.toArray()).toEqual(['a', 'b']);
  });

  it('refuses indices that are none', () => {
    using list = create('a');
    using empty = createNumbers();
    for (const index of [1, -2]) {
      expectCode(() => list.set(index, 1), 'ERR_OUT_OF_RANGE', 'index', '-1 to 0');
      expectCode(() => list.add(index, 1), 'ERR_OUT_OF_RANGE', 'index');
      expectCode(() => list.update(index, () => 1), 'ERR_OUT_OF_RANGE', 'index');
      expectCode(() => list.compareAndSet(index, 1, 1), 'ERR_OUT_OF_RANGE', 'index');
    }
    expectCode(() => empty.add(0, 1), 'ERR_OUT_OF_RANGE', 'the list is empty');
    for (const index of [0.5, NaN, Infinity]) {
      expectCode(() => list.at(index), 'ERR_OUT_OF_RANGE', 'index');
    }
    for (const index of ['0', null, 0n] as never[]) {
      expectCode(() => list.at(index), 'ERR_INVALID_ARG_TYPE', 'index');
      expectCode(() => list.slice(index), 'ERR_INVALID_ARG_TYPE', 'start');
      expectCode(() => list.splice(index), 'ERR_INVALID_ARG_TYPE', 'start');
      expectCode(() => list.indexOf(1, index), 'ERR_INVALID_ARG_TYPE', 'from');
      expectCode(() => list.add(0, index), 'ERR_INVALID_ARG_TYPE', 'delta');
      expectCode(() => list.update(0, index), 'ERR_INVALID_ARG_TYPE', 'fn');
      expectCode(() => list.forEach(index), 'ERR_INVALID_ARG_TYPE', 'fn');
    }
  });

  it.each<[unknown, string, string]>([
    [null, 'ERR_INVALID_ARG_TYPE', 'options'],
    [{ size: 1 }, 'ERR_INVALID_ARG_VALUE', 'size'],
    [{ capacity: '1' }, 'ERR_INVALID_ARG_TYPE', 'capacity'],
    [{ capacity: 100 }, 'ERR_OUT_OF_RANGE', 'capacity'],
    [{ capacity: 1e6 + 0.5 }, 'ERR_OUT_OF_RANGE', 'capacity'],
    [{ mode: 0o1000 }, 'ERR_OUT_OF_RANGE', 'mode'],
  ])('is not made of bad input: %o', (options, code, what) => {
    const name = uniqueName();
    expectCode(() => SharedList.open(name, options as never), code, what);
    const named = options && { ...options, name };
    expectCode(() => SharedList.create(named as never), code, what);
    expectCode(() => SharedList.attach(name), 'ENOENT', name);
  });

  it('has a name, of its kind, until it loses it', () => {
    const name = uniqueName();
    using list = SharedList.create<number>({ name });
    expectCode(() => SharedList.create({ name }), 'EEXIST', name);
    expectCode(() => SharedDict.attach(name), 'ENOENT', name);
    using same = SharedList.open<number>(name, { capacity: 1 << 20 });
    same.push(1);
    expect([list.length, same.capacity]).toEqual([1, list.capacity]);
    const handle = JSON.parse(JSON.stringify(list)) as SharedListHandle;
    expect(handle).toEqual({ shmkit: 'list', name });
    using attached = attach(handle) as SharedList<number>;
    expect(attached).toBeInstanceOf(SharedList);
    expect(attached.at(0)).toBe(1);
    SharedList.unlink(name);
    expectCode(() => SharedList.attach(name), 'ENOENT', name);
    expectCode(() => list.unlink(), 'ENOENT', name);
    expect(list.push(2)).toBe(2);
    list.close();
    list.close();
    expect(list.closed).toBe(true);
    for (const act of [
      () => list.length,
      () => list.at(0),
      () => list.push(1),
      () => list.toArray(),
      () => [...list],
      () => list.clear(),
      () => list.bytesUsed,
    ]) {
      expectCode(act, 'ERR_CLOSED', name);
    }
    expect(same.toArray()).toEqual([1, 2]);
  });
});

describe('changes of four processes at once', () => {
  it('all come to be, each whole, and nothing is lost or doubled', async () => {
    using work = createNumbers();
    using done = createNumbers();
    using counts = createNumbers(0, 0);
    const each = 3000;
    const children = [0, 1, 2, 3].map((i) => start('list/mover', [work, done, counts, i, each]));
    // A reader runs beside them. Everything that it finds is consistent.
    let ended = 0;
    for (const child of children) void child.exit.then(() => ended++);
    while (ended < children.length) {
      const some = work.slice(0, 50);
      expect(some.every((n) => Number.isInteger(n) && n >= 0 && n < 4 * each)).toBe(true);
      await new Promise(setImmediate);
    }
    for (const child of children) await child.succeed();
    expect(counts.toArray()).toEqual([4 * each, 4 * each]);
    expect(work.length).toBe(0);
    expect(done.toArray().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 4 * each }, (_, i) => i),
    );
  });
});
