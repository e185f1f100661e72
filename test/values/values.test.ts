// What values of every kind become when they go through the codec, compared with structuredClone.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Encoder, finish, read, type Views } from '../../lib/values/codec';
import { CorruptError, MismatchError } from '../../lib/values/corrupt-error';
import { expectCode } from '../support/errors';
import { difference } from '../support/same-value';
import { cloned, nested, refused } from '../support/value-cases';

const size = 1 << 22;

function views(): Views {
  const data = new ArrayBuffer(size);
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
const at = 64;

function write(value: unknown): Encoder {
  encoder.encode('value', value);
  encoder.write(memory, at);
  expect(encoder.matches(memory, encoder.tag, at, encoder.size)).toBe(true);
  return encoder;
}

function roundTrip(value: unknown): unknown {
  const { tag, size } = write(value);
  const found = read(memory, tag, at, size);
  // A finished value must not depend on the memory any more.
  memory.bytes.fill(0xa5, at, at + size);
  return finish(found);
}

const places: [string, (value: unknown) => unknown][] = [
  ['alone', (value) => value],
  ['in an object', (value) => ({ before: 1, value, after: 'x' })],
  ['in an array', (value) => [0, value, 'x', value]],
  ['as a key and value of a map', (value) => new Map([[value, { value }]])],
  ['in a set', (value) => new Set([value, 1])],
  ['as a cause', (value) => new Error('m', { cause: value })],
  ['beside -0, a hole and a lone surrogate', (value) => [-0, , '\ud800', value]], // eslint-disable-line no-sparse-arrays
  ['deep down', (value) => deepDown(value, 100)],
];

function deepDown(value: unknown, levels: number): unknown {
  let all = value;
  for (let i = 0; i < levels; i++) all = i % 2 === 0 ? [all] : { all };
  return all;
}

describe.each(cloned)('%s', (_, make) => {
  it.each(places)('comes back %s', (_, place) => {
    const value = place(make());
    const isLong = Array.isArray(value) && value.length > 1e6;
    if (isLong) {
      expect((roundTrip(value) as unknown[]).length).toBe(value.length);
      return;
    }
    expect(difference(structuredClone(value), roundTrip(value))).toBeUndefined();
  });
});

describe.each(refused)('%s', (_, make) => {
  it.each([
    ...places,
    [
      'in a subclass',
      (value: unknown) => new (class M extends Map<unknown, unknown> {})([[1, value]]),
    ],
  ] as typeof places)('is refused %s', (_, place) => {
    expectCode(() => encoder.encode('value', place(make())), 'ERR_INVALID_ARG_TYPE', 'value');
  });
});

describe('what structuredClone loses', () => {
  it('of errors comes back: code, other properties, errors of an AggregateError', () => {
    const error = Object.assign(new TypeError('m'), {
      code: 'E_X',
      errno: -2,
      detail: { a: [-0] },
    });
    const all = new AggregateError([error, new Error('b')], 'both', { cause: error });
    const back = roundTrip(all) as typeof all;
    expect(back).toBeInstanceOf(AggregateError);
    expect(difference(all, back)).toBeUndefined();
    expect(back.errors[0]).toBe(back.cause);
    expect((back.cause as typeof error).code).toBe('E_X');
    expect(Object.keys(back)).toEqual([]);
  });

  it("is a name that is an error's own", () => {
    const error = Object.assign(new Error('m'), { name: 'MyError' });
    expect((roundTrip(error) as Error).name).toBe('MyError');
    expect(roundTrip(Object.assign(new Error('m'), { name: 'RangeError' }))).toBeInstanceOf(
      RangeError,
    );
  });

  it('of exceptions of the platform comes back', () => {
    const { reason } = AbortSignal.abort() as { reason: DOMException };
    const { error } = roundTrip({ error: reason }) as { error: DOMException };
    expect(error).toBeInstanceOf(DOMException);
    expect([error.name, error.message, error.code, error.stack]).toEqual([
      reason.name,
      reason.message,
      reason.code,
      reason.stack,
    ]);
  });
});

describe('a Buffer', () => {
  it('comes back as a Uint8Array of its own bytes', () => {
    for (const place of [(value: unknown) => [value], (value: unknown) => value]) {
      const [back] = [roundTrip(place(Buffer.from('abc')))].flat() as Uint8Array[];
      expect(back?.constructor).toBe(Uint8Array);
      expect([...back!, back!.buffer.byteLength]).toEqual([97, 98, 99, 3]);
    }
  });

  it('shares with another what they had in common', () => {
    const whole = Buffer.alloc(100, 7);
    const value = [whole.subarray(10, 20), whole.subarray(15, 25), whole.subarray(50, 60)];
    const [a, b, c] = roundTrip(value) as [Uint8Array, Uint8Array, Uint8Array];
    a[9] = 1;
    expect([b[4], c.length, a.buffer.byteLength, c.buffer.byteLength]).toEqual([1, 10, 15, 10]);
    // The third view overlaps both the first and the second, which do not overlap each other.
    const three = [whole.subarray(0, 4), whole.subarray(8, 12), whole.subarray(2, 10)];
    for (const value of [three, [...three, whole.subarray(9, 20)], [...three, whole.buffer]]) {
      const [d, e, f] = roundTrip(value) as [Uint8Array, Uint8Array, Uint8Array];
      expect([...d, ...e, ...f]).toEqual(new Array(16).fill(7));
      d[3] = 1;
      e[1] = 2;
      expect([...f]).toEqual([7, 1, 7, 7, 7, 7, 7, 2]);
    }
    const [part, all] = roundTrip([whole.subarray(10, 20), whole.buffer]) as [
      Uint8Array,
      ArrayBuffer,
    ];
    expect([part.buffer, part.byteOffset, all.byteLength]).toEqual([all, 10, 100]);
  });
});

describe('bytes whose length was given another value', () => {
  const longer = () => Object.defineProperty(Buffer.alloc(300, 7), 'length', { value: 8 });
  const shorter = () => Object.defineProperty(Buffer.alloc(8, 7), 'length', { value: 300 });

  it.each([
    ['less', longer, 300],
    ['more', shorter, 8],
  ])('take the room that they fill, where that is said to be %s', (_, make, bytes) => {
    expect(write(make()).size).toBe(bytes);
    expect(roundTrip(make())).toEqual(new Uint8Array(bytes).fill(7));
    expect(roundTrip([make()])).toEqual([new Uint8Array(bytes).fill(7)]);
  });
});

describe('a view of a buffer that grows', () => {
  it.each([
    [undefined, 64, 64],
    [8, 64, 8],
    [undefined, 8, 4],
    [8, 8, 0],
  ])('of length %o is as long later, of %o bytes at most', (length, most, later) => {
    const Growing = ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer;
    const view = new Uint8Array(new Growing(8, { maxByteLength: most }), 0, length);
    const [back] = roundTrip([view]) as [Uint8Array];
    (back.buffer as unknown as { resize(n: number): void }).resize(most > 8 ? most : 4);
    expect(back.length).toBe(later);
    expect(view.length).toBe(8);
  });
});

describe('any value', () => {
  const anything = fc.anything({
    maxDepth: 4,
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    stringUnit: 'binary',
    key: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'a', 'b', '0')),
  });

  it('comes back as from structuredClone', () => {
    fc.assert(
      fc.property(anything, anything, (a, b) => {
        const value = { a, list: [b, a, b], map: new Map([[a, b]]) };
        expect(difference(structuredClone(value), roundTrip(value))).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
});

describe('reading', () => {
  it('defines properties, whatever objects inherit by their names', () => {
    const value = { frozen: 1, taken: 2, other: [Object.assign([3], { frozen: 4, taken: 5 })] };
    const written: unknown[] = [];
    try {
      Object.defineProperties(Object.prototype, {
        frozen: { value: 0, writable: false, configurable: true },
        taken: { get: () => 0, set: (each) => written.push(each), configurable: true },
      });
      expect(difference(structuredClone(value), roundTrip(value))).toBeUndefined();
      expect(written).toEqual([]);
    } finally {
      for (const key of ['frozen', 'taken']) Reflect.deleteProperty(Object.prototype, key);
    }
  });
});

describe('packing', () => {
  it('asks getters, which may have other values packed', () => {
    const other = new Encoder();
    const value = {
      a: 'a',
      get b(): unknown {
        other.encode('value', { c: 'x'.repeat(100), d: [1, 2, { e: new Uint8Array(9) }] });
        return [{ f: other.size > 100 }];
      },
      g: 'g',
    };
    expect(roundTrip(value)).toEqual({ a: 'a', b: [{ f: true }], g: 'g' });
  });

  it.each<[string, (error: Error) => void]>([
    ['gets a property', (error) => Object.assign(error, { more: 1 })],
    ['loses a property', (error) => delete (error as { first?: unknown }).first],
    ['gets another name', (error) => (error.name = 'TypeError')],
    ['loses its cause', (error) => delete error.cause],
    ['gets errors', (error) => Object.defineProperty(error, 'errors', { value: [1] })],
  ])('takes an error that %s by a getter in it', (_, change) => {
    const make = (own: object) => {
      const cause = {
        get a() {
          change(error);
          return 1;
        },
      };
      const error: Error = Object.assign(new Error('m', { cause }), own);
      return error;
    };
    for (const own of [{}, { first: 1 }, { first: 1, name: 'Mine' }]) {
      for (const place of [(value: unknown) => [value], (value: unknown) => deepDown(value, 100)]) {
        let back = roundTrip(place(make(own)));
        while (!(back instanceof Error)) back = Object.values(back as object)[0] as unknown;
        expect([back.message, back.cause]).toEqual(['m', { a: 1 }]);
      }
    }
  });

  it.each<[string, number, (buffer: ArrayBuffer) => void]>([
    ['detaches', 8, (buffer) => structuredClone(buffer, { transfer: [buffer] })],
    ['detaches', 0, (buffer) => structuredClone(buffer, { transfer: [buffer] })],
    ['shrinks', 8, (buffer) => (buffer as unknown as { resize(n: number): void }).resize(4)],
    ['grows', 8, (buffer) => (buffer as unknown as { resize(n: number): void }).resize(16)],
  ])('refuses an ArrayBuffer that a getter %s, of %i bytes', (_, bytes, change) => {
    const Growing = ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer;
    const buffer = new Growing(bytes, { maxByteLength: 16 });
    const value = [
      buffer,
      {
        get a() {
          change(buffer);
          return 1;
        },
      },
    ];
    expectCode(() => encoder.encode('value', value), 'ERR_INVALID_ARG_TYPE', 'value[0] must be');
    expect(roundTrip([1])).toEqual([1]);
  });

  it('throws what a getter throws, and goes on', () => {
    const error = new Error('mine');
    const value = {
      get a(): never {
        throw error;
      },
    };
    expect(() => encoder.encode('value', [value])).toThrow(error);
    expect(roundTrip([1])).toEqual([1]);
  });

  it('leaves what was packed before as it was', () => {
    const [first, second] = [new Encoder(), new Encoder()];
    first.encode('value', { a: 'first' });
    for (let i = 0; i < 1000; i++) second.encode('value', { b: 'x'.repeat(200) });
    first.write(memory, at);
    expect(finish(read(memory, first.tag, at, first.size))).toEqual({ a: 'first' });
  });

  it('that is to be kept is not changed by what becomes of the value', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    encoder.encode('value', { bytes, part: Buffer.from(bytes.buffer, 1, 1) }).keep();
    bytes.fill(9);
    encoder.write(memory, at);
    const back = finish(read(memory, encoder.tag, at, encoder.size)) as { bytes: Uint8Array };
    expect([...back.bytes]).toEqual([1, 2, 3]);
    for (const alone of [Buffer.from([1, 2, 3]), new Uint8Array([1, 2, 3])]) {
      encoder.encode('value', alone).keep();
      alone.fill(9);
      encoder.write(memory, at);
      expect(finish(read(memory, encoder.tag, at, encoder.size))).toEqual(
        new Uint8Array([1, 2, 3]),
      );
    }
  });

  it('takes any depth, and little stack for it', () => {
    let depth = 0;
    for (let back = roundTrip(nested(100_000)); typeof back === 'object'; depth++) {
      back = (back as { value: unknown }).value;
    }
    expect(depth).toBe(100_000);
  });

  it('lets an overflow of the stack be one', () => {
    const { tag, size } = write(nested(60));
    const acts = [
      () => finish(read(memory, tag, at, size)),
      () => new Encoder().encode('value', nested(60)),
    ];
    const seen = new Set<unknown>();
    // Runs on the way back from a full stack, each time with a little more room.
    const descend = (): boolean => {
      let isDone = false;
      try {
        isDone = descend();
      } catch {
        // There was no room for another call.
      }
      if (isDone) return true;
      for (const act of acts) {
        try {
          act();
          isDone = true;
        } catch (error) {
          seen.add((error as Error).constructor);
        }
      }
      return isDone;
    };
    expect(descend()).toBe(true);
    expect([...seen]).toEqual([RangeError]);
    expect(roundTrip([1])).toEqual([1]);
  });

  it.each<[unknown, string]>([
    [{ a: [0, 1, 2, { b: Symbol('s') }] }, 'value.a[3].b '],
    [[[() => 1]], 'value[0][0] '],
    [{ 'not a name': { ż: () => 1 } }, 'value["not a name"].ż '],
    [new Map([[1, new Set([Promise.resolve()])]]), 'value.get().values() '],
    [new Map([[{ a: () => 1 }, 1]]), 'value.keys().a '],
    [new Error('m', { cause: [() => 1] }), 'value.cause[0] '],
    [new AggregateError([new Error('a'), new URL('x:y')]), 'value.errors[1] '],
    [Object.assign([1], { more: () => 1 }), 'value.more '],
    [{ a: [new Uint8Array(new SharedArrayBuffer(1))] }, 'value.a[0] '],
  ])('names the place of what it refuses: %o', (value, place) => {
    expectCode(() => encoder.encode('value', value), 'ERR_INVALID_ARG_TYPE', place);
  });
});

describe('a memory that is larger than Buffer takes offsets', () => {
  const samples: unknown[] = [
    'short',
    'é'.repeat(100),
    'ż'.repeat(100),
    new Uint8Array(100).fill(3),
    { a: 'x'.repeat(100), b: [new Float64Array([1, 2]), 'ż'.repeat(80)] },
    [-0, 2n ** 70n, new Map([[1, 'm'.repeat(90)]])],
  ];

  it.for([
    ['2 GiB', 2 ** 31],
    ['4 GiB', 2 ** 32],
  ] as const)('of more than %s gives back what was written there', ([, from], { skip }) => {
    let data: ArrayBuffer;
    try {
      // None of this memory is allocated until it is written to.
      data = new ArrayBuffer(from + 2 ** 20);
      new Uint8Array(data);
      Buffer.from(data);
    } catch {
      skip(`this runtime has no ArrayBuffer of ${from + 2 ** 20} bytes`);
      return;
    }
    const large: Views = {
      ints: new Int32Array(data),
      bytes: new Uint8Array(data),
      shorts: new Uint16Array(data),
      floats: new Float64Array(data),
      buffer: Buffer.from(data),
    };
    // The place that an offset modulo 2 ** 32 would lead to.
    large.bytes.fill(0xee, 0, 2 ** 16);
    for (const place of [from - 2048, from - 32, from, from + 4096]) {
      for (const sample of samples) {
        const { tag, size } = encoder.encode('value', sample);
        encoder.write(large, place);
        expect(encoder.matches(large, tag, place, size)).toBe(true);
        expect(
          difference(roundTrip(sample), finish(read(large, tag, place, size))),
        ).toBeUndefined();
      }
    }
  });
});

describe('packed bytes', () => {
  const short = cloned.filter(([name]) => !/length|long|300|large|strings|surrogates/.test(name));

  it('stand by themselves, and begin with a version', () => {
    write([1]);
    expect([memory.bytes[at], memory.bytes[at + 1]]).toEqual([1, 254]);
    write([new Uint8Array(1)]);
    expect([memory.bytes[at], memory.bytes[at + 1]]).toEqual([0x81, 0x7e]);
  });

  it('of another version are told from those that were overwritten', () => {
    const { tag, size } = write([1, 2, 3]);
    const readAs = (head: number, complement: number) => {
      memory.bytes.set([head, complement], at);
      return () => finish(read(memory, tag, at, size));
    };
    for (const head of [2, 3, 0x82, 0]) {
      expect(readAs(head, ~head & 255)).toThrow(MismatchError);
      expect(readAs(head, ~head & 255)).toThrow(/format \d+; this version reads 1/);
      expect(readAs(head, 254 ^ 7)).toThrow(CorruptError);
    }
  });

  it('that are overwritten make a wrong value or an error that says so, and pollute nothing', () => {
    const seen = new Set<unknown>();
    let random = 1;
    const next = () => (random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff) >>> 8;
    for (const [, make] of short) {
      const { tag, size } = write([make()]);
      const original = memory.bytes.slice(at, at + size);
      for (let i = 0; i < Math.min(3 * size, 1000); i++) {
        memory.bytes.set(original, at);
        memory.bytes[at + (i % size)] = next() & 255;
        if (i > size) memory.bytes[at + (next() % size)] = next() & 255;
        try {
          finish(read(memory, tag, at, i > 2 * size ? next() % size : size));
          seen.add('a value');
        } catch (error) {
          const { constructor } = error as Error;
          if (constructor !== CorruptError && constructor !== MismatchError) throw error;
          seen.add(constructor);
        }
      }
    }
    expect(seen).toContain(CorruptError);
    expect(seen).toContain('a value');
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as { a?: unknown }).a).toBeUndefined();
  });

  it('may say __proto__ without consequences', () => {
    const back = roundTrip(JSON.parse('{"__proto__":{"polluted":1}}')) as { polluted?: unknown };
    expect(back.polluted).toBeUndefined();
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
