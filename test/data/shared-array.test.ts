import { SharedArray, SharedMemory, attach, type ElementType } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { expectCode, expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';

const types: ElementType[] = [
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
];

const isBig = (type: ElementType) => type === 'int64' || type === 'uint64';

/** Numbers as elements of the type. */
function elements(type: ElementType, ...numbers: number[]): never[] {
  return (isBig(type) ? numbers.map(BigInt) : numbers) as never[];
}

describe('a shared array', () => {
  it.each(types)('of %s has zeroes, or the elements it was made from', (type) => {
    using zeroes = SharedArray.create({ type, length: 5 });
    expect([...zeroes]).toEqual(elements(type, 0, 0, 0, 0, 0));
    const some = elements(type, 1, 2, 3);
    using fromIterable = SharedArray.create({ type, from: new Set(some) });
    expect([...fromIterable]).toEqual(some);
    using fromTyped = SharedArray.create({ from: fromIterable.array });
    expect(fromTyped.type).toBe(type);
    expect([...fromTyped.array]).toEqual(some);
    for (const each of [zeroes, fromIterable, fromTyped]) each.unlink();
  });

  it('is made of part of a typed array, and of a typed array of another type', () => {
    const whole = Float64Array.of(1, 2, 3, 4);
    using part = SharedArray.create({ from: whole.subarray(1, 3) });
    expect([...part]).toEqual([2, 3]);
    using other = SharedArray.create({ type: 'uint8', from: whole });
    expect([...other.array]).toEqual([1, 2, 3, 4]);
    expectCode(
      () => SharedArray.create({ type: 'uint8', from: Float64Array.of(1, 256) }),
      'ERR_OUT_OF_RANGE',
      /from\[1\]/,
    );
    part.unlink();
    other.unlink();
  });

  it('reads and writes elements from either end, and knows where its ends are', () => {
    using array = SharedArray.create({ type: 'int16', from: [10, 20, 30] });
    array.unlink();
    expect([array.at(0), array.at(-1), array.at(3), array.at(-4)]).toEqual([
      10,
      30,
      undefined,
      undefined,
    ]);
    array.set(1, 21);
    array.set(-1, 31);
    expect([...array]).toEqual([10, 21, 31]);
    expectCode(() => array.set(3, 0), 'ERR_OUT_OF_RANGE', 'from -3 to 2');
    expectCode(() => array.set(-4, 0), 'ERR_OUT_OF_RANGE');
    expectCode(() => array.set(0.5, 0), 'ERR_OUT_OF_RANGE');
    expectCode(() => array.set(0, 40_000), 'ERR_OUT_OF_RANGE');
    expectCode(() => array.set(0, 1n as never), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => array.add(3, 1), 'ERR_OUT_OF_RANGE');
    expect([...array]).toEqual([10, 21, 31]);
  });

  it('assigns several at once, all or none', () => {
    using array = SharedArray.create({ type: 'uint8', length: 4 });
    array.unlink();
    array.set([1, 2], 1);
    array.set(Uint8Array.of(9), 3);
    expect([...array]).toEqual([0, 1, 2, 9]);
    expectCode(() => array.set([7, 300]), 'ERR_OUT_OF_RANGE', /values\[1\]/);
    expectCode(() => array.set([1, 2], 3), 'ERR_OUT_OF_RANGE');
    expectCode(() => array.set(null as never), 'ERR_INVALID_ARG_TYPE', 'iterable');
    expect([...array]).toEqual([0, 1, 2, 9]);
    expect(array.fill(5, 1, -1)).toBe(array);
    expect([...array]).toEqual([0, 5, 5, 9]);
    expectCode(() => array.fill(256), 'ERR_OUT_OF_RANGE');
    const copy = array.slice(-2);
    expect(copy).toEqual(Uint8Array.of(5, 9));
    copy[0] = 77;
    expect(array.at(2)).toBe(5);
  });

  it.each(types)('of %s changes elements atomically', (type) => {
    const [one, two, three, ten] = elements(type, 1, 2, 3, 10);
    using array = SharedArray.create({ type, from: [one!, two!, three!] });
    array.unlink();
    expect(array.add(1, one!)).toBe(two);
    expect(array.exchange(-1, ten!)).toBe(three);
    expect(array.compareExchange(0, two!, ten!)).toBe(one);
    expect(array.compareExchange(0, one!, ten!)).toBe(one);
    expect(array.update(1, () => one!)).toBe(one);
    expect([...array]).toEqual([ten, one, ten]);
  });

  it('loses no addition of 4 processes that add to all elements', async () => {
    using array = SharedArray.create({ type: 'float64', length: 8 });
    const children = Array.from({ length: 4 }, () => start('data-array-adder', [array, 20_000]));
    await Promise.all(children.map((child) => child.succeed()));
    expect([...array]).toEqual(new Array(8).fill(10_000));
    array.unlink();
  });

  it('is refused to those who expect another type or length', () => {
    const name = uniqueName();
    using array = SharedArray.create({ name, type: 'int32', length: 10 });
    expectCode(() => SharedArray.attach(name, { type: 'uint32' }), 'ERR_WRONG_KIND', 'int32');
    expectCode(() => SharedArray.attach(name, { length: 9 }), 'ERR_WRONG_KIND', '10 elements');
    expectCode(() => SharedArray.open(name, { type: 'int32', length: 11 }), 'ERR_WRONG_KIND');
    using same = SharedArray.open(name, { type: 'int32', length: 10 });
    using handed = attach(JSON.parse(JSON.stringify(array)) as ReturnType<typeof array.toJSON>);
    same.set(-1, 5);
    expect(handed.at(9)).toBe(5);
    expect(SharedMemory.list().find((object) => object.name === name)?.kind).toBe('array');
    array.unlink();
    expectCode(() => array.unlink(), 'ENOENT');
  });

  it('is empty after close, with every view of it', async () => {
    using array = SharedArray.create({ type: 'float32', length: 3 });
    array.unlink();
    const { array: view } = array;
    const bytes = new Uint8Array(view.buffer);
    const waiting = array.wait(0, 0);
    array.close();
    expect([view.length, bytes.length, view[0]]).toEqual([0, 0, undefined]);
    await expectRejection(waiting, 'ERR_CLOSED');
    for (const act of [
      () => array.array,
      () => array.at(0),
      () => array.set(0, 1),
      () => array.set([1]),
      () => array.fill(1),
      () => array.slice(),
      () => [...array],
      () => array.add(0, 1),
      () => array.update(0, (v) => v),
    ]) {
      expectCode(act, 'ERR_CLOSED', array.name);
    }
  });

  it('shows nothing but its elements to whoever has its buffer', () => {
    using array = SharedArray.create({ type: 'int8', length: 7 });
    array.unlink();
    expect(array.array.buffer.byteLength).toBe(7);
    expect(array.array).toBe(array.array);
  });

  it('keeps its memory while a view is in use, though its handle was collected', async () => {
    const view = (() => {
      const array = SharedArray.create({ type: 'int32', from: [1, 2, 3] });
      array.unlink();
      return array.array;
    })();
    for (let i = 0; i < 10; i++) {
      global.gc!();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([...view]).toEqual([1, 2, 3]);
  });

  it('tells who waits for one element of its change only', async () => {
    using array = SharedArray.create({ type: 'int64', length: 2 });
    array.unlink();
    let ended = false;
    const second = array.wait(1, 0n).then((value) => {
      ended = true;
      return value;
    });
    const first = array.wait(0, 0n);
    array.set(0, 5n);
    array.notify();
    expect(await first).toBe(5n);
    expect(ended).toBe(false);
    array.set(1, 6n);
    array.notify();
    expect(await second).toBe(6n);
    expect(array.waitSync(0, 0n)).toBe(5n);
    expectCode(() => array.waitSync(0, 5n, { timeout: 20 }), 'ERR_TIMEOUT');
    expectCode(() => array.waitSync(2, 5n), 'ERR_OUT_OF_RANGE');
  });
});

describe('bad input of an array', () => {
  it('is an error that says what was wrong, and makes nothing', () => {
    const create = (options: unknown) => () => SharedArray.create(options as never);
    expectCode(create({ length: 3 }), 'ERR_INVALID_ARG_TYPE', 'type');
    expectCode(create({ from: [1, 2] }), 'ERR_INVALID_ARG_TYPE', 'type');
    expectCode(create({ type: 'int8' }), 'ERR_INVALID_ARG_TYPE', 'length');
    expectCode(create({ type: 'int8', length: 0 }), 'ERR_OUT_OF_RANGE');
    expectCode(create({ type: 'int8', length: 1.5 }), 'ERR_OUT_OF_RANGE');
    expectCode(create({ type: 'int8', length: 2, from: [1, 2] }), 'ERR_INVALID_ARG_TYPE', 'length');
    expectCode(create({ type: 'int8', from: [] }), 'ERR_OUT_OF_RANGE', 'elements');
    expectCode(create({ type: 'int8', from: 5 }), 'ERR_INVALID_ARG_TYPE', 'iterable');
    expectCode(create({ type: 'int8', from: ['1'] }), 'ERR_INVALID_ARG_TYPE', /from\[0\]/);
    expectCode(create({ type: 'double', length: 1 }), 'ERR_OUT_OF_RANGE', 'float64');
    expectCode(create({ type: 'int8', lenght: 1 }), 'ERR_INVALID_ARG_VALUE', 'lenght');
    expectCode(create({ type: 'float64', length: 2 ** 46 }), 'ENOSPC');
  });
});
