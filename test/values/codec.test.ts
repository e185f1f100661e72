// Values when they are written to memory, and when they are read back.
import { describe, expect, it } from 'vitest';
import { Encoder, Tag, finish, read, type Views } from '../../lib/values/codec';
import { expectCode } from '../support/errors';

function views(): Views {
  const data = new ArrayBuffer(1 << 18);
  return {
    ints: new Int32Array(data),
    bytes: new Uint8Array(data),
    shorts: new Uint16Array(data),
    floats: new Float64Array(data),
    buffer: Buffer.from(data),
  };
}

const memory = views();
const encoder = new Encoder();

function there(value: unknown) {
  const { tag, size } = encoder.encode('value', value);
  memory.bytes.fill(0xa5);
  encoder.write(memory, 64);
  expect(memory.bytes[63]).toBe(0xa5);
  expect(memory.bytes[64 + size]).toBe(0xa5);
  expect(encoder.matches(memory, tag, 64, size)).toBe(true);
  return { tag, size };
}

function roundTrip(value: unknown): unknown {
  const { tag, size } = there(value);
  return finish(read(memory, tag, 64, size));
}

const primitives: [unknown, Tag][] = [
  [undefined, Tag.Undefined],
  [null, Tag.Null],
  [true, Tag.True],
  [false, Tag.False],
  [0, Tag.Number],
  [-0, Tag.Number],
  [NaN, Tag.Number],
  [Infinity, Tag.Number],
  [5e-324, Tag.Number],
  [2 ** 53 - 1, Tag.Number],
  ['', Tag.Latin1],
  ['a', Tag.Latin1],
  ['grün\0ÿ', Tag.Latin1],
  ['x'.repeat(1000), Tag.Latin1],
  ['żółw', Tag.Utf16],
  ['half \ud83d of a pair', Tag.Utf16],
  ['\u{1f98a}'.repeat(500), Tag.Utf16],
  [0n, Tag.Packed],
  [-(2n ** 200n), Tag.Packed],
];

const objects: unknown[] = [
  {},
  [],
  [1, 'two', [3, { four: 4 }]],
  { id: 7, name: 'seven', tags: ['a', 'b'], on: true, at: 1.5 },
  { undefined, null: null, nested: { deep: { deeper: [undefined] } } },
  new Date(1_700_000_000_123),
  new Date(NaN),
  new Map<unknown, unknown>([
    ['a', 1],
    [{ key: 1 }, new Set([1, 'x'])],
  ]),
  new Set([1, '1', null]),
  new Float64Array([1.5, NaN]),
  new BigInt64Array([1n, -1n]),
  new Uint8Array([1, 2, 3]),
  new Uint8ClampedArray([300]),
  new ArrayBuffer(5),
  new DataView(new ArrayBuffer(3)),
  /a+/giu,
  { big: 2n ** 64n, dates: [new Date(0)] },
  // A different encoding would change these.
  { minus: -0 },
  { half: 'a\ud800b' },
  [1, , 3], // eslint-disable-line no-sparse-arrays
  Object(5n),
  new Number(3),
  new String('boxed'),
  JSON.parse('{"__proto__": 1}'),
  Array.from({ length: 300 }, (_, i) => ({ i })),
];

describe('a value', () => {
  it.each(primitives)('%o comes back, stored as %o', (value, tag) => {
    expect(there(value).tag).toBe(tag);
    expect(roundTrip(value)).toBe(value);
  });

  it.each(objects)('%o comes back', (value) => {
    expect(roundTrip(value)).toStrictEqual(value);
  });

  it('of a class of its own comes back as a plain object, as by structuredClone', () => {
    class Point {
      x = 1;
      toJSON(): string {
        return 'not asked';
      }
    }
    expect(roundTrip(new Point())).toStrictEqual({ x: 1 });
    expect(roundTrip({ point: new Point() })).toStrictEqual({ point: { x: 1 } });
  });

  it('keeps its circles, and what it refers to twice', () => {
    const circle: Record<string, unknown> = { list: [] };
    circle.self = circle;
    (circle.list as unknown[]).push(circle, circle);
    const back = roundTrip(circle) as typeof circle;
    expect(back.self).toBe(back);
    expect((back.list as unknown[])[1]).toBe(back);
    const wide: unknown[] = [];
    for (let i = 0; i < 1000; i++) wide.push(wide);
    expect((roundTrip(wide) as unknown[])[999]).toHaveLength(1000);
  });

  it('that is an error comes back as one of its class', () => {
    const error = new TypeError('wrong', { cause: { code: 7 } });
    const back = roundTrip(error) as TypeError;
    expect(back).toBeInstanceOf(TypeError);
    expect([back.message, back.cause]).toEqual(['wrong', { code: 7 }]);
  });

  it('is not changed by the next one that is read', () => {
    const first = roundTrip({ bytes: new Uint8Array([1, 2, 3]), text: 'first' });
    roundTrip({ bytes: new Uint8Array([9, 9, 9]), text: 'other' });
    expect(first).toEqual({ bytes: new Uint8Array([1, 2, 3]), text: 'first' });
  });

  const act = () => 1;
  it.each<[unknown, string]>([
    [act, 'value '],
    [Symbol('s'), 'value '],
    [{ a: { b: act } }, 'value.a.b'],
    [{ a: [0, { c: Symbol('s') }] }, 'value.a[1].c'],
    [[act], 'value'],
    [new Map([[1, act]]), 'value.get()'],
    [new Set([act]), 'value.values()'],
    [{ promise: Promise.resolve() }, 'value.promise'],
    [{ weak: new WeakMap() }, 'value.weak'],
    [new SharedArrayBuffer(8), 'value'],
  ])('%o is refused, and named', (value, path) => {
    expectCode(() => encoder.encode('value', value), 'ERR_INVALID_ARG_TYPE', path, 'cloned');
  });

  it('of hostile bytes is wrong or an error, and never more', () => {
    const { tag, size } = there({
      list: [1, 2, 3],
      map: new Map([[1, 'x']]),
      big: 5n,
      at: new Date(0),
    });
    const original = memory.bytes.slice(64, 64 + size);
    let errors = 0;
    for (let i = 0; i < 3000; i++) {
      memory.bytes.set(original, 64);
      for (let n = 0; n < 3; n++)
        memory.bytes[64 + ((i * 7 + n * 13) % size)] = (i * 31 + n * 101) & 255;
      for (const as of [tag, Tag.Handle, Tag.Utf16, Tag.Pending]) {
        try {
          finish(read(memory, as, 64, size));
        } catch {
          errors++;
        }
      }
    }
    expect(errors).toBeGreaterThan(100);
  });
});
