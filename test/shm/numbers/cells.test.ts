import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellsOver, encodeElements, type Cells } from '../../../lib/shm/numbers/cells';
import { constructorOf, type ElementType } from '../../../lib/common/element-types';
import { expectCode } from '../../support/errors';
import {
  bigTypes,
  floatTypes,
  integers,
  limitsOf,
  numberTypes,
  valueOf,
} from '../../support/elements';

function cellsOf<T extends ElementType>(type: T, length = 1) {
  const array = new (constructorOf(type))(length);
  const floats = array as Float64Array;
  // If no other thread adds at the same time, the native addition does the same.
  const addFloat64 = (index: number, delta: number) => {
    const before = floats[index]!;
    floats[index] = before + delta;
    return before;
  };
  return { array, cells: cellsOver(type, array.buffer, addFloat64) };
}

describe.each(integers)('%s', (type) => {
  const { least, most } = limitsOf(type);
  const isBig = bigTypes.includes(type);
  const of = (n: bigint): number | bigint => (isBig ? n : Number(n));
  const cellsOfAny = () => cellsOf(type) as unknown as { cells: Cells<number | bigint> };

  it('holds its limits and nothing beyond', () => {
    const { cells } = cellsOfAny();
    for (const value of [least, least + 1n, 0n, 1n, most - 1n, most]) {
      cells.store(0, cells.check('x', of(value)));
      expect(cells.load(0)).toBe(of(value));
    }
    for (const value of [least - 1n, most + 1n, least * 2n - 5n, most * 2n]) {
      expectCode(() => cells.check('x', of(value)), 'ERR_OUT_OF_RANGE', 'x', String(most));
    }
  });

  it('takes no numbers but its own', () => {
    const { cells } = cellsOfAny();
    const wrong = [isBig ? 1 : 1n, '1', true, null, undefined, {}, [1], Symbol('1')];
    for (const value of wrong) {
      expectCode(() => cells.check('x', value), 'ERR_INVALID_ARG_TYPE', 'x');
      expectCode(() => cells.add(0, value), 'ERR_INVALID_ARG_TYPE', 'delta');
    }
    if (isBig) return;
    for (const value of [0.5, NaN, Infinity, -Infinity, 2 ** 60]) {
      expectCode(() => cells.check('x', value), 'ERR_OUT_OF_RANGE', 'x', 'integer');
      expectCode(() => cells.add(0, value), 'ERR_OUT_OF_RANGE', 'delta');
    }
    expect(cells.check('x', -0)).toBe(-0);
    cells.store(0, -0);
    expect(cells.load(0)).toBe(0);
  });

  it('adds as numbers are added, or not at all', () => {
    const { cells } = cellsOfAny();
    const span = most - least;
    fc.assert(
      fc.property(fc.bigInt(least, most), fc.bigInt(-span, span), (before, delta) => {
        cells.store(0, of(before));
        const sum = before + delta;
        const fits = sum >= least && sum <= most;
        expect(cells.add(0, of(delta))).toBe(fits ? of(before) : undefined);
        expect(cells.load(0)).toBe(of(fits ? sum : before));
      }),
      // Random numbers rarely produce exactly these cases.
      {
        examples: [
          [most, 1n],
          [least, -1n],
          [least, span],
          [most, -span],
          [most, 0n],
        ],
      },
    );
    expectCode(() => cells.add(0, of(span + 1n)), 'ERR_OUT_OF_RANGE', 'delta');
    expectCode(() => cells.add(0, of(-span - 1n)), 'ERR_OUT_OF_RANGE', 'delta');
  });

  it('exchanges, and compares before it does', () => {
    const { cells } = cellsOfAny();
    fc.assert(
      fc.property(fc.bigInt(least, most), fc.bigInt(least, most), fc.boolean(), (a, b, isSame) => {
        cells.store(0, of(a));
        const expected = isSame ? a : b;
        expect(cells.compareExchange(0, of(expected), of(b))).toBe(of(a));
        expect(cells.load(0)).toBe(of(expected === a ? b : a));
        expect(cells.same(of(a), of(b))).toBe(a === b);
        cells.store(0, of(a));
        expect(cells.exchange(0, of(b))).toBe(of(a));
        expect(cells.load(0)).toBe(of(b));
      }),
    );
  });
});

describe.each(floatTypes)('%s', (type) => {
  const round = (x: number) => (type === 'float32' ? Math.fround(x) : x);

  it('holds every number there is, rounded as its typed array rounds', () => {
    const { cells, array } = cellsOf(type);
    fc.assert(
      fc.property(fc.double(), (x) => {
        cells.store(0, cells.check('x', x));
        expect(cells.load(0)).toBe(round(x));
        expect(array[0]).toBe(round(x));
      }),
      { examples: [[-0], [NaN], [Infinity], [-Infinity], [5e-324], [1e300], [0.1]] },
    );
  });

  it('takes no other numbers', () => {
    const { cells } = cellsOf(type);
    for (const value of [1n, '1', true, null, undefined, {}]) {
      expectCode(() => cells.check('x', value), 'ERR_INVALID_ARG_TYPE', 'x');
      expectCode(() => cells.add(0, value), 'ERR_INVALID_ARG_TYPE', 'delta');
    }
  });

  it('adds and exchanges as its typed array would', () => {
    const { cells, array } = cellsOf(type);
    fc.assert(
      fc.property(fc.double(), fc.double(), (a, b) => {
        cells.store(0, a);
        expect(cells.add(0, b)).toBe(round(a));
        expect(array[0]).toBe(round(round(a) + b));
        cells.store(0, a);
        expect(cells.exchange(0, b)).toBe(round(a));
        expect(cells.load(0)).toBe(round(b));
      }),
      {
        examples: [
          [Infinity, -Infinity],
          [1e308, 1e308],
          [-0, 0],
          [-0, -0],
          [NaN, 1],
        ],
      },
    );
  });

  it('compares by bits: NaN is NaN, and 0 is not -0', () => {
    const { cells } = cellsOf(type);
    const values = [0, -0, 1, -1, 0.1, NaN, Infinity, -Infinity, 5e-324, 1e-46, 1e39];
    for (const a of values) {
      for (const b of values) {
        const isSame = Object.is(round(a), round(b));
        expect(cells.same(a, b)).toBe(isSame);
        cells.store(0, a);
        expect(cells.compareExchange(0, b, 7)).toBe(round(a));
        expect(cells.load(0)).toBe(isSame ? 7 : round(a));
      }
    }
  });

  it('knows every NaN, whatever another program wrote for it', () => {
    const { cells, array } = cellsOf(type);
    const bytes = new Uint8Array(array.buffer);
    const nans =
      type === 'float32'
        ? [0x7fc00000n, 0x7fc00001n, 0xffc00000n, 0x7f800001n, 0xffffffffn]
        : [0x7ff8n << 48n, (0x7ff8n << 48n) + 1n, 0xfff8n << 48n, (0x7ff0n << 48n) + 1n, ~0n];
    for (const bits of nans) {
      const view = new DataView(array.buffer);
      if (type === 'float32') view.setUint32(0, Number(bits), true);
      else view.setBigUint64(0, BigInt.asUintN(64, bits), true);
      const before = [...bytes];
      expect(cells.load(0)).toBeNaN();
      expect(cells.same(cells.load(0), NaN)).toBe(true);
      expect(cells.compareExchange(0, 1, 2)).toBeNaN();
      expect([...bytes], 'it was not 1').toEqual(before);
      expect(cells.compareExchange(0, NaN, 2)).toBeNaN();
      expect(cells.load(0), 'it was NaN').toBe(2);
    }
  });
});

describe.each([...numberTypes, ...bigTypes])('elements of %s', (type) => {
  it('are as many as there is room for, and none where the buffer is gone', () => {
    const { array, cells } = cellsOf(type, 5);
    expect(cells.length).toBe(5);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    expect(cells.length).toBe(0);
    expect(() => cells.load(0)).toThrow(TypeError);
    expect(() => cells.store(0, valueOf(type, 1))).toThrow(TypeError);
    // The native addition would change the memory that was there before.
    if (type !== 'float64') expect(() => cells.add(0, valueOf(type, 1))).toThrow(TypeError);
    expect(() => cells.exchange(0, valueOf(type, 1))).toThrow(TypeError);
    expect(() => cells.compareExchange(0, valueOf(type, 0), valueOf(type, 1))).toThrow(TypeError);
  });

  it('are encoded each as what it is, or refused by its place', () => {
    const values = [0, 1, 2, 100].map((n) => valueOf(type, n));
    const encoded = encodeElements(type, values, (i) => `x[${i}]`);
    expect([...encoded]).toEqual(values);
    expect(encoded).toBeInstanceOf(constructorOf(type));
    const wrong = [...values, '3'];
    expectCode(() => encodeElements(type, wrong, (i) => `x[${i}]`), 'ERR_INVALID_ARG_TYPE', 'x[4]');
    // A hole is not an element.
    const sparse: unknown[] = [values[0]];
    sparse[2] = values[1];
    const encode = () => encodeElements(type, Array.from(sparse), (i) => `x[${i}]`);
    expectCode(encode, 'ERR_INVALID_ARG_TYPE', 'x[1]');
  });
});
