import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SharedArray, type ElementType, type TypedArrays } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { constructorOf } from '../../../lib/common/element-types';
import { temporary } from '../../support/temporaries';
import { start } from '../../support/children';
import { allTypes, bigTypes, bytesOf, integers, limitsOf, valueOf } from '../../support/elements';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer } from '../../support/peers';
import { onLinux } from '../../support/system';

type Elements = TypedArrays[ElementType];

/** Creates an array of a type that the compiler does not know. */
function create(type: ElementType, length: number): SharedArray {
  return temporary(SharedArray.create({ type, length }));
}

/** Any value of the type that the type does not round. */
function elementOf(type: ElementType): fc.Arbitrary<number | bigint> {
  if (type === 'float64') return fc.double();
  if (type === 'float32') return fc.float();
  const { least, most } = limitsOf(type);
  const values = fc.bigInt(least, most);
  return bigTypes.includes(type) ? values : values.map(Number);
}

describe.each(allTypes)('an array of %s', (type) => {
  const of = (n: number) => valueOf(type, n);
  const elementsOf = (...numbers: number[]) => numbers.map(of);

  it('is zeroes at first, or what it was given, however that came', () => {
    using zeroes = create(type, 4);
    expect([zeroes.type, zeroes.length]).toEqual([type, 4]);
    expect([...zeroes]).toEqual(elementsOf(0, 0, 0, 0));
    const elements = elementsOf(3, 1, 2);
    const typed = new (constructorOf(type))(3) as Float64Array<ArrayBuffer>;
    typed.set(elements as number[]);
    for (const from of [elements, new Set(elements), elements.values(), typed] as never[]) {
      using given = temporary(SharedArray.create({ type, from }));
      expect([...given]).toEqual(elements);
      expect(given.array).toBeInstanceOf(constructorOf(type));
    }
    using ofItsType = temporary(SharedArray.create({ from: typed }));
    expect([ofItsType.type, ...ofItsType]).toEqual([type, ...elements]);
    using ofAnother = temporary(SharedArray.create({ type, from: zeroes as never }));
    expect([...ofAnother]).toEqual([...zeroes]);
  });

  it('is one memory for all handles, without a copy', async () => {
    using array = create(type, 5);
    using other = SharedArray.attach(array.name);
    expect(array.array).toBe(array.array);
    expect(array.array).not.toBe(other.array);
    expect(array.array.byteLength).toBe(5 * bytesOf(type));
    array.array[1] = of(7);
    other.set(-1, of(9));
    expect([...other.array]).toEqual(elementsOf(0, 7, 0, 0, 9));
    expect([...array]).toEqual(elementsOf(0, 7, 0, 0, 9));
    if (bigTypes.includes(type)) return; // JSON has no bigint
    const peer = await Peer.start(array, 'worker');
    expect(await peer.call('at', 1)).toBe(7);
    expect(await peer.call('set', 0, 5)).toBe('fine');
    expect(array.at(0)).toBe(5);
  });

  it('does as a typed array of that type does', () => {
    const element = elementOf(type);
    const index = fc.integer({ min: -7, max: 7 });
    fc.assert(
      fc.property(
        fc.array(element, { minLength: 1, maxLength: 6 }),
        fc.array(
          fc.oneof(
            fc.record({ do: fc.constant('set' as const), at: index, value: element }),
            fc.record({
              do: fc.constant('setAll' as const),
              values: fc.array(element, { maxLength: 7 }),
              asTyped: fc.boolean(),
              offset: fc.option(fc.nat(7), { nil: undefined }),
            }),
            fc.record({
              do: fc.constant('fill' as const),
              value: element,
              start: fc.option(index, { nil: undefined }),
              end: fc.option(index, { nil: undefined }),
            }),
            fc.record({
              do: fc.constant('slice' as const),
              start: fc.option(index, { nil: undefined }),
              end: fc.option(index, { nil: undefined }),
            }),
            fc.record({ do: fc.constant('exchange' as const), at: index, value: element }),
            fc.record({ do: fc.constant('at' as const), at: index }),
          ),
          { maxLength: 8 },
        ),
        (from, steps) => {
          using array = temporary(SharedArray.create({ type, from }) as SharedArray);
          const model = new (constructorOf(type))(from.length) as Float64Array;
          model.set(from as number[]);
          for (const step of steps) {
            switch (step.do) {
              case 'set':
              case 'exchange': {
                const i = step.at < 0 ? step.at + model.length : step.at;
                const act = () =>
                  step.do === 'set'
                    ? array.set(step.at, step.value as never)
                    : array.exchange(step.at, step.value);
                if (i < 0 || i >= model.length) {
                  expectCode(act, 'ERR_OUT_OF_RANGE', 'index');
                } else {
                  expect(act()).toBe(step.do === 'set' ? undefined : model[i]);
                  model[i] = step.value as number;
                }
                break;
              }
              case 'setAll': {
                const { values, asTyped, offset } = step;
                const typed = new (constructorOf(type))(values.length) as Float64Array;
                typed.set(values as number[]);
                const act = () => array.set((asTyped ? typed : values) as never, offset);
                if ((offset ?? 0) + values.length > model.length) {
                  expectCode(act, 'ERR_OUT_OF_RANGE');
                } else {
                  act();
                  model.set(values as number[], offset);
                }
                break;
              }
              case 'fill':
                expect(array.fill(step.value as never, step.start, step.end)).toBe(array);
                model.fill(step.value as number, step.start, step.end);
                break;
              case 'slice': {
                const part = array.slice(step.start, step.end);
                expect(part).toEqual(model.slice(step.start, step.end));
                part.fill(of(1) as never); // part is a copy: the array does not change
                break;
              }
              case 'at':
                expect(array.at(step.at)).toBe(model.at(step.at));
                break;
            }
            expect(array.array).toEqual(model);
            expect([...array]).toEqual([...model]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('checks all before it assigns the first', () => {
    using array = create(type, 3);
    const before = elementsOf(0, 0, 0);
    const wrong = bigTypes.includes(type) ? 1 : 1n;
    const lists = [[of(1), wrong], [of(1), of(2), undefined], [of(1), '2'], [null]] as never[];
    for (const values of lists) {
      expectCode(() => array.set(values), 'ERR_INVALID_ARG_TYPE', /^values\[\d\]/);
      const from = () => SharedArray.create({ type, from: values });
      expectCode(from, 'ERR_INVALID_ARG_TYPE', /^from\[\d\]/);
    }
    expectCode(() => array.set(elementsOf(1, 2) as never, 2), 'ERR_OUT_OF_RANGE', 'values');
    expectCode(() => array.set(elementsOf(1) as never, 4), 'ERR_OUT_OF_RANGE', 'offset');
    const failing = (function* () {
      yield of(1);
      throw new Error('no');
    })();
    expect(() => array.set(failing as never)).toThrow('no');
    expect([...array]).toEqual(before);
    array.set([], 3);
    expect([...array]).toEqual(before);
  });

  it('adds, compares and updates single elements, and leaves the others alone', () => {
    using array = create(type, 3);
    array.set(elementsOf(1, 2, 3) as never);
    expect(array.add(1, of(5) as never)).toBe(of(2));
    expect(array.compareExchange(-1, of(2) as never, of(9) as never)).toBe(of(3));
    expect(array.compareExchange(-1, of(3) as never, of(9) as never)).toBe(of(3));
    expect(array.update(0, (n) => (n === of(1) ? of(4) : of(0)) as never)).toBe(of(4));
    expect([...array]).toEqual(elementsOf(4, 7, 9));
    for (const i of [3, -4, 100]) {
      for (const use of [
        () => array.set(i, of(1) as never),
        () => array.add(i, of(1)),
        () => array.exchange(i, of(1)),
        () => array.compareExchange(i, of(1), of(1)),
        () => array.update(i, (n) => n),
        () => array.waitSync(i, of(1)),
      ]) {
        expectCode(use, 'ERR_OUT_OF_RANGE', 'index', String(i));
      }
      expect(array.at(i)).toBeUndefined();
    }
    expect([...array]).toEqual(elementsOf(4, 7, 9));
  });
});

describe.each(integers)('an array of %s', (type) => {
  it('refuses what its type cannot hold, and an addition that would lead beyond', () => {
    const { least, most } = limitsOf(type);
    const of = (n: bigint) => (bigTypes.includes(type) ? n : Number(n)) as never;
    using array = create(type, 2);
    array.set([of(least), of(most)]);
    for (const use of [
      () => array.set(0, of(most + 1n)),
      () => array.set(0, of(least - 1n)),
      () => array.set([of(0n), of(most + 1n)]),
      () => array.fill(of(most + 1n)),
      () => array.exchange(0, of(least - 1n)),
      () => array.compareExchange(0, of(least), of(least - 1n)),
      () => array.add(0, of(-1n)),
      () => array.add(1, of(1n)),
      () => array.update(1, () => of(most + 1n)),
    ]) {
      expectCode(use, 'ERR_OUT_OF_RANGE');
    }
    expect([...array]).toEqual([of(least), of(most)]);
  });
});

describe('an array', () => {
  it.each([1, 9])('takes the elements that there are, where their length says %i', (length) => {
    const from = () =>
      Object.defineProperty(new Int32Array([5, 6, 7, 8]), 'length', { value: length });
    using array = temporary(SharedArray.create({ type: 'int32', from: from() }));
    expect([...array]).toEqual([5, 6, 7, 8]);
    array.fill(0);
    array.set(from());
    expect([...array]).toEqual([5, 6, 7, 8]);
  });

  it('is refused bad indices, values and functions', () => {
    using array = temporary(SharedArray.create({ type: 'int32', length: 3 }));
    for (const i of [0.5, NaN, Infinity]) {
      expectCode(() => array.at(i), 'ERR_OUT_OF_RANGE', 'index');
      expectCode(() => array.set(i, 1), 'ERR_OUT_OF_RANGE', 'index');
    }
    for (const i of ['0', undefined, null, 0n, {}] as never[]) {
      expectCode(() => array.at(i), 'ERR_INVALID_ARG_TYPE', 'index');
      expectCode(() => array.add(i, 1), 'ERR_INVALID_ARG_TYPE', 'index');
      expectCode(() => array.update(i, (n) => n), 'ERR_INVALID_ARG_TYPE', 'index');
    }
    for (const values of ['012', undefined, null, {}, true, 5n] as never[]) {
      expectCode(() => array.set(values), 'ERR_INVALID_ARG_TYPE', 'values');
    }
    for (const offset of ['0', null, 1n] as never[]) {
      expectCode(() => array.set([1], offset), 'ERR_INVALID_ARG_TYPE', 'offset');
    }
    for (const offset of [-1, 0.5, NaN]) {
      expectCode(() => array.set([1], offset), 'ERR_OUT_OF_RANGE', 'offset');
    }
    expectCode(() => array.update(0, 'x' as never), 'ERR_INVALID_ARG_TYPE', 'fn');
    expectCode(() => array.fill('1' as never), 'ERR_INVALID_ARG_TYPE', 'value');
    expect([...array]).toEqual([0, 0, 0]);
  });

  it.each<[object | undefined, string, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
    [{}, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: 'int32' }, 'ERR_INVALID_ARG_TYPE', 'length'],
    [{ length: 3 }, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: 'int', length: 3 }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: 'constructor', length: 3 }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: 'int32', length: 0 }, 'ERR_OUT_OF_RANGE', 'length'],
    [{ type: 'int32', length: -1 }, 'ERR_OUT_OF_RANGE', 'length'],
    [{ type: 'int32', length: 1.5 }, 'ERR_OUT_OF_RANGE', 'length'],
    [{ type: 'int32', length: 2 ** 53 }, 'ERR_OUT_OF_RANGE', 'length'],
    [{ type: 'int32', length: '3' }, 'ERR_INVALID_ARG_TYPE', 'length'],
    [{ type: 'int32', length: 3n }, 'ERR_INVALID_ARG_TYPE', 'length'],
    [{ type: 'int32', lengths: 3 }, 'ERR_INVALID_ARG_VALUE', 'lengths'],
    [{ type: 'int32', size: 3 }, 'ERR_INVALID_ARG_VALUE', 'size'],
  ])('is not made of bad input: %o', (options, code, what) => {
    const name = uniqueName();
    const named = options && { name, ...options };
    expectCode(() => SharedArray.create(named as never), code, what);
    expectCode(() => SharedArray.open(name, options as never), code, what);
    expectCode(() => SharedArray.attach(name), 'ENOENT');
  });

  it.each<[object, string, string]>([
    [{ from: [1, 2] }, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ from: [] }, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: 'int8', from: [] }, 'ERR_OUT_OF_RANGE', 'number of elements'],
    [{ from: new Int8Array() }, 'ERR_OUT_OF_RANGE', 'number of elements'],
    [{ type: 'int8', from: '123' }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ type: 'int8', from: 5 }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ type: 'int8', from: null }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ type: 'int8', from: { length: 2 } }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ type: 'int8', from: [1], length: 1 }, 'ERR_INVALID_ARG_TYPE', 'length'],
    [{ type: 'int8', from: [1, 128] }, 'ERR_OUT_OF_RANGE', 'from[1]'],
    [{ type: 'int8', from: Float64Array.of(1, 1.5) }, 'ERR_OUT_OF_RANGE', 'from[1]'],
    [{ type: 'int64', from: Int8Array.of(1) }, 'ERR_INVALID_ARG_TYPE', 'from[0]'],
    [{ type: 'int8', from: BigInt64Array.of(1n) }, 'ERR_INVALID_ARG_TYPE', 'from[0]'],
    [{ from: new DataView(new ArrayBuffer(8)) }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ from: new ArrayBuffer(8) }, 'ERR_INVALID_ARG_TYPE', 'from'],
    [{ type: 'uint8', from: new Uint8ClampedArray(2), nane: 'x' }, 'ERR_INVALID_ARG_VALUE', 'nane'],
  ])('is not made of bad elements: %o', (options, code, what) => {
    const name = uniqueName();
    expectCode(() => SharedArray.create({ name, ...options } as never), code, what);
    expectCode(() => SharedArray.attach(name), 'ENOENT');
  });

  it('takes elements of another type where each is one of its own', () => {
    using array = temporary(SharedArray.create({ type: 'int16', from: Float64Array.of(1, -2) }));
    expect([...array]).toEqual([1, -2]);
    array.set(Uint8Array.of(7), 1);
    array.set(Buffer.from([8]));
    expect([...array]).toEqual([8, 7]);
    using bytes = temporary(SharedArray.create({ type: 'uint8', from: Buffer.from('hello') }));
    expect([bytes.type, Buffer.from(bytes.array).toString()]).toEqual(['uint8', 'hello']);
    // In memory it is the same block, so an overlapping range is copied as if through a temporary copy.
    bytes.set(bytes.array.subarray(0, 4), 1);
    expect(Buffer.from(bytes.slice()).toString()).toBe('hhell');
  });

  it('is attached to and opened as it is only', () => {
    using array = temporary(SharedArray.create({ type: 'uint16', from: [1, 2, 3] }));
    const { name } = array;
    SharedArray.attach(name, { type: 'uint16', length: 3 }).close();
    using opened = SharedArray.open(name, { type: 'uint16', length: 3 });
    expect([...opened]).toEqual([1, 2, 3]);
    expectCode(() => SharedArray.attach(name, { type: 'int16' }), 'ERR_WRONG_KIND', 'uint16');
    expectCode(() => SharedArray.attach(name, { length: 4 }), 'ERR_WRONG_KIND', '3', '4');
    const wider = { type: 'uint16', length: 4 } as const;
    expectCode(() => SharedArray.open(name, wider), 'ERR_WRONG_KIND', '3', '4');
    const other = { type: 'uint32', length: 3 } as const;
    expectCode(() => SharedArray.open(name, other), 'ERR_WRONG_KIND', 'uint16', 'uint32');
    expectCode(() => SharedArray.attach(name, { length: 0 }), 'ERR_OUT_OF_RANGE', 'length');
    expectCode(() => SharedArray.attach(name, { type: 'x' as never }), 'ERR_OUT_OF_RANGE', 'type');
    const misspelt = { lenght: 3 } as never;
    expectCode(() => SharedArray.attach(name, misspelt), 'ERR_INVALID_ARG_VALUE', 'lenght');
  });

  it('has views that are empty when it was closed, and does no harm by them', () => {
    const array = SharedArray.create({ type: 'int32', from: [1, 2, 3] });
    const { array: view, lock } = array;
    const part = view.subarray(1);
    const iterator = array[Symbol.iterator]();
    expect(iterator.next().value).toBe(1);
    array.unlink();
    array.close();
    for (const each of [view, part]) {
      expect([each.length, each.byteLength, each[0]]).toEqual([0, 0, undefined]);
      each[0] = 5;
      expect(() => each.fill(7)).toThrow(TypeError);
    }
    expectCode(() => iterator.next(), 'ERR_CLOSED', array.name);
    expectCode(() => lock.acquireSync(), 'ERR_CLOSED', array.name);
    expect(array.length, 'what it was').toBe(3);
  });

  it.runIf('transfer' in ArrayBuffer.prototype)('that was transferred away has no elements', () => {
    using array = temporary(SharedArray.create({ type: 'int32', from: [1, 2, 3] }));
    using other = SharedArray.attach(array.name);
    const moved = (array.array.buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer();
    expect([array.array.length, moved.byteLength]).toEqual([0, 12]);
    for (const use of [
      () => array.at(0),
      () => array.set(0, 1),
      () => array.add(0, 1),
      () => array.exchange(0, 1),
      () => array.fill(1),
      () => array.waitSync(0, 1),
    ]) {
      expect(use).toThrow(TypeError);
    }
    expect([...other]).toEqual([1, 2, 3]);
    array.close();
    other.close();
    // No handle of this process has the memory any more, so the moved buffer does not have it either.
    new Int32Array(moved).fill(9);
    using again = SharedArray.attach(array.name);
    expect([...again]).toEqual([1, 2, 3]);
  });

  it('is closed by what its own use calls, and no harm comes of it', () => {
    const closing = (array: SharedArray<'int32'>) =>
      (function* () {
        yield 1;
        array.unlink();
        array.close();
      })();
    const array = SharedArray.create({ type: 'int32', length: 3 });
    expect(() => array.set(closing(array))).toThrow();
    expect(array.closed).toBe(true);
    const updated = temporary(SharedArray.create({ type: 'int32', length: 3 }));
    const close = () => {
      updated.close();
      return 1;
    };
    expectCode(() => updated.update(0, close), 'EBUSY', updated.name);
    expect(updated.lock.locked).toBe(false);
    updated[Symbol.dispose]();
  });

  it('of a million elements is filled, copied and looked through', () => {
    const length = 1_000_000;
    using array = temporary(SharedArray.create({ type: 'float64', length }));
    array.fill(0.5);
    expect(array.slice(-2)).toEqual(Float64Array.of(0.5, 0.5));
    array.set(Float64Array.from({ length }, (_, i) => i));
    let sum = 0;
    for (const element of array) sum += element;
    expect(sum).toBe((length * (length - 1)) / 2);
    using other = SharedArray.attach(array.name, { type: 'float64' });
    expect(other.array.reduce((a, b) => a + b)).toBe(sum);
  });

  it('beyond what the system can hold is refused by the system', () => {
    const name = uniqueName();
    let code: unknown;
    try {
      SharedArray.create({ name, type: 'float64', length: 2 ** 46 });
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code;
    }
    expect(['ENOSPC', 'ENOMEM', 'EFBIG', 'EINVAL']).toContain(code);
    expectCode(() => SharedArray.attach(name), 'ENOENT');
  });
});

describe.runIf(onLinux)('the memory of an array', () => {
  function mappings(name: string): number {
    return readFileSync('/proc/self/maps', 'latin1')
      .split('\n')
      .filter((line) => line.includes(name)).length;
  }

  it('is there as long as any view of it is, handle or no handle', async () => {
    const name = uniqueName();
    SharedArray.create({ name, type: 'int32', length: 100 }).close();
    const kept: Elements[] = [SharedArray.attach(name).array.subarray(50)];
    for (let i = 0; i < 10; i++) {
      globalThis.gc!();
      await delay(1);
    }
    expect(mappings(name)).toBe(1);
    kept[0]![0] = 5;
    {
      using again = SharedArray.attach(name);
      expect(again.at(50)).toBe(5);
    }
    SharedArray.unlink(name);
    kept.pop();
    while (mappings(name) > 0) {
      globalThis.gc!();
      await delay(1);
    }
  });

  it('is there as long as its lock is, handle or no handle', async () => {
    const name = uniqueName();
    SharedArray.create({ name, type: 'int32', length: 1 }).close();
    const kept = [SharedArray.attach(name).lock];
    for (let i = 0; i < 10; i++) {
      globalThis.gc!();
      await delay(1);
    }
    kept[0]!.acquireSync().release();
    kept.pop();
    while (mappings(name) > 0) {
      globalThis.gc!();
      await delay(1);
    }
    SharedArray.unlink(name);
  });
});

describe('waiting for an element', () => {
  it('ends when that one has changed, and no other', async () => {
    using array = temporary(SharedArray.create({ type: 'int32', length: 4 }));
    const peer = await Peer.start(array);
    const { outcome } = await peer.begin('wait', 2, 0);
    const own = array.wait(-1, 0);
    array.set(0, 1);
    array.notify();
    await expectRejection(array.wait(1, 0, { timeout: 30 }), 'ERR_TIMEOUT', array.name);
    array.set([5, 6], 2);
    array.notify();
    expect([await outcome, await own]).toEqual([5, 6]);
  });

  it('goes on until the writer, another process, has come round', async () => {
    using array = temporary(SharedArray.create({ type: 'int32', length: 2 }));
    const child = start('sync/array-writer', [array]);
    for (let i = 0; i < 50; i++) {
      const written = i % 2 === 0 ? await array.wait(0, i) : array.waitSync(0, i);
      expect(written).toBe(i + 1);
      array.set(1, i + 1);
      array.notify();
    }
    await child.succeed();
  });
});
