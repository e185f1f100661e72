/* eslint-disable @typescript-eslint/no-unsafe-return, @typescript-eslint/no-extraneous-class, prefer-rest-params, @typescript-eslint/unbound-method, @typescript-eslint/class-literal-property-style */
// Values of every kind that the structured clone algorithm supports, and of the kinds that it refuses.
import { randomBytes, createSecretKey } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { AsyncLocalStorage } from 'node:async_hooks';
import { runInNewContext } from 'node:vm';

export type Case = readonly [name: string, make: () => unknown];

const foreign = (source: string): Case => [
  `${source} of another realm`,
  () => runInNewContext(source) as unknown,
];

class Points extends Map<unknown, unknown> {
  unit = 'm';
}

class Tags extends Set<unknown> {
  override get [Symbol.toStringTag](): string {
    return 'Tags';
  }
}

type GrowingBuffer = new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;
const growing = (bytes: number, most: number) =>
  new (ArrayBuffer as unknown as GrowingBuffer)(bytes, { maxByteLength: most });

function numbered(bytes: number): ArrayBuffer {
  return Uint8Array.from({ length: bytes }, (_, i) => i).buffer;
}

/** Values that structuredClone keeps. They must be kept in the same way. */
export const cloned: readonly Case[] = [
  ['an object', () => ({ a: 1, b: 'two', c: [true, null, undefined] })],
  ['an empty object', () => ({})],
  ['an empty array', () => []],
  [
    'many objects of the same keys',
    () => Array.from({ length: 50 }, (_, i) => ({ i, x: { y: i } })),
  ],
  [
    'objects of other keys each time',
    () => [{ a: 1 }, { b: 1 }, { a: 1, b: 1 }, { b: 1, a: 1 }, {}],
  ],
  [
    'integers of every size',
    () => [0, 127, 128, -1, 32767, 32768, -32768, -32769, 2 ** 31, -(2 ** 31), 2 ** 53],
  ],
  ['other numbers', () => [-0, 0.1, NaN, Infinity, -Infinity, 5e-324, 1e308]],
  ['-0 as a property', () => ({ z: -0 })],
  ['-0 in a map and a set', () => [new Map([['a', -0]]), new Set([-0])]],
  [
    'bigints',
    () => [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n, -(2n ** 200n), 255n ** 9n],
  ],
  [
    'strings',
    () => [
      '',
      'a',
      'é'.repeat(63),
      'é'.repeat(64),
      'ż',
      'x'.repeat(70_000),
      'ż'.repeat(70_000),
      '🐢',
    ],
  ],
  [
    'lone surrogates',
    () => ['\ud800', 'a\udc00b', { s: '\ud800' }, new String('\udfff'), 'x'.repeat(99) + '\ud800'],
  ],
  ['a lone surrogate as a key', () => ({ '\ud800': 1, 'a\udc00': 2 })],
  ['a lone surrogate as a key of a map', () => new Map([['\ud800', 1]])],
  [
    'keys of the prototype',
    () =>
      JSON.parse(
        '{"__proto__":{"a":1},"constructor":2,"hasOwnProperty":3,"toString":4}',
      ) as unknown,
  ],
  [
    'an array with __proto__ of its own',
    () => Object.defineProperty([1], '__proto__', { value: 5, enumerable: true }),
  ],
  [
    'keys that look like others',
    () => ({ 2: 'b', 1: 'a', x: 1, length: 5, then: 1, toJSON: 2, '': 3, '-1': 4, '01': 5 }),
  ],
  ['a long key', () => ({ ['k'.repeat(5000)]: 1, ['ż'.repeat(5000)]: 2 })],
  ['symbols as keys', () => ({ [Symbol('a')]: 1, b: 2 })],
  [
    'a getter',
    () => ({
      get a() {
        return [5];
      },
    }),
  ],
  ['what is not enumerable', () => Object.defineProperty({ a: 1 }, 'hidden', { value: 2 })],
  ['undefined properties', () => ({ a: undefined, b: [undefined] })],
  ['an object without a prototype', () => Object.assign(Object.create(null) as object, { a: 1 })],
  [
    'an object of another object',
    () => Object.assign(Object.create({ inherited: 1 }) as object, { a: 1 }),
  ],
  [
    'an instance of a class',
    () =>
      new (class Point {
        x = 1;
        #y = 2;
        get y() {
          return this.#y;
        }
      })(),
  ],
  [
    'an instance of a class with a tag',
    () =>
      new (class Point {
        x = 1;
        get [Symbol.toStringTag]() {
          return 'P';
        }
      })(),
  ],
  ['an object with a tag', () => ({ [Symbol.toStringTag]: 'Foo', a: 1 })],
  [
    'what inherits from Error without being one',
    () => Object.assign(Object.create(Error.prototype) as object, { a: 1 }),
  ],
  // eslint-disable-next-line no-sparse-arrays
  ['holes', () => [, 1, , undefined, ,]],
  ['an array that is long and empty', () => Object.assign([], { 100_000: 1 })],
  ['an array of the greatest length', () => Object.assign([], { length: 2 ** 32 - 1 })],
  [
    'an array with properties',
    () => Object.assign([1, 2], { total: 3, '-1': 4, '1.5': 5, '4294967295': 6 }),
  ],
  // eslint-disable-next-line no-sparse-arrays
  ['an array with a hole and as many properties', () => Object.assign([, 1], { x: 1 })],
  ['a match', () => /(?<x>b)/.exec('abc')],
  ['a subclass of Array', () => class A extends Array {}.from([1, 2])],
  [
    'a map',
    () =>
      new Map<unknown, unknown>([
        ['a', 1],
        [{ key: 1 }, new Set([1, 'x', null])],
        [NaN, undefined],
      ]),
  ],
  ['a map with a property', () => Object.assign(new Map([[1, 2]]), { x: 1 })],
  ['a subclass of Map', () => new Points([[1, 2]])],
  ['a subclass of Set with a tag', () => new Tags([1])],
  ['a map without a prototype', () => Object.setPrototypeOf(new Map([[1, 2]]), null) as unknown],
  [
    'what is no object like most, with the prototype of one',
    () =>
      [new Map([[1, 2]]), new Set([3]), new Uint8Array([4]), numbered(3), new DataView(numbered(2))]
        .concat([Object.assign(new Uint8Array([5]), { x: 6 })] as never)
        .map((each) => Object.setPrototypeOf(each, Object.prototype) as unknown),
  ],
  [
    'what is no object like most, with the prototype of a class',
    () =>
      [new Map([[1, 2]]), new Set([3]), new Int16Array(2), numbered(3)].map(
        (each) => Object.setPrototypeOf(each, class Other {}.prototype) as unknown,
      ),
  ],
  [
    'an object of a class without properties of its own',
    () =>
      new (class Empty {
        #x = 1;
        get x() {
          return this.#x;
        }
      })(),
  ],
  [
    'dates',
    () => [new Date(5), new Date(NaN), new Date(-8.64e15), new (class D extends Date {})(7)],
  ],
  ['regular expressions', () => [/a+/giu, /\//, new RegExp(''), /é/y, /[\p{L}]/u, /ż\n/m]],
  ['a regular expression in use', () => Object.assign(/a/g, { lastIndex: 3 })],
  [
    'boxed values',
    () => [Object(1), Object(-0), Object('a'), Object(''), Object(true), Object(false), Object(5n)],
  ],
  [
    'errors',
    () =>
      [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map(
        (E) => new E('m'),
      ),
  ],
  ['an error without a message', () => new Error()],
  [
    'an error whose message is a getter',
    () => Object.defineProperty(new Error('m'), 'message', { get: () => 'other' }),
  ],
  ['an error of a subclass', () => new (class Mine extends RangeError {})('m')],
  ['an error with a cause', () => new Error('m', { cause: { a: [1] } })],
  ['an error whose cause is undefined', () => new Error('m', { cause: undefined })],
  [
    'a chain of errors',
    () => new Error('a', { cause: new TypeError('b', { cause: new Error('c') }) }),
  ],
  ['an ArrayBuffer', () => numbered(11)],
  ['an empty ArrayBuffer', () => new ArrayBuffer(0)],
  ['an ArrayBuffer that grows', () => growing(4, 40)],
  ['one that has grown', () => growing(16, 16)],
  [
    'typed arrays',
    () =>
      [
        Int8Array,
        Uint8Array,
        Uint8ClampedArray,
        Int16Array,
        Uint16Array,
        Int32Array,
        Uint32Array,
        Float32Array,
        Float64Array,
        BigInt64Array,
        BigUint64Array,
      ].map((T) => new T(numbered(16))),
  ],
  ['a Uint8Array', () => new Uint8Array(numbered(5))],
  ['an empty Uint8Array', () => new Uint8Array(0)],
  ['a part of a buffer', () => new Uint8Array(numbered(9), 2, 3)],
  ['a subclass of Uint8Array', () => new (class U extends Uint8Array {})(numbered(3))],
  [
    'views with properties of their own',
    () => {
      const other = { value: 1 };
      const properties = { length: other, byteOffset: other, byteLength: other };
      return [
        Object.defineProperties(new Uint8Array(numbered(8)), properties),
        Object.defineProperties(new Float64Array(numbered(32), 8, 2), properties),
        Object.defineProperties(new DataView(numbered(8), 2), properties),
        Object.defineProperty(new Uint16Array(numbered(8)), 'buffer', { value: numbered(2) }),
        Object.defineProperty(numbered(8), 'byteLength', other),
      ];
    },
  ],
  [
    'a subclass of Float64Array with getters',
    () =>
      new (class F extends Float64Array {
        override get length() {
          return 1;
        }
        override get byteOffset() {
          return 3;
        }
      })([1, 2, 3]),
  ],
  ['a DataView within its buffer', () => new DataView(numbered(8), 2, 3)],
  [
    'two views of one buffer',
    () => {
      const b = numbered(8);
      return { a: new Uint8Array(b, 0, 4), b: new Uint8Array(b, 2, 4) };
    },
  ],
  [
    'a view and its buffer',
    () => {
      const b = numbered(8);
      return [new Float64Array(b), b, new DataView(b, 1)];
    },
  ],
  ['a view as long as its buffer', () => new Uint8Array(growing(8, 64))],
  ['a view that is as long and stays so', () => new Uint8Array(growing(8, 64), 0, 8)],
  ['a large ArrayBuffer', () => ({ a: new Uint8Array(randomBytes(300_001)).buffer, b: 'behind' })],
  [
    'the same object twice',
    () => {
      const a = {};
      return [a, { a }];
    },
  ],
  [
    'the same of each',
    () =>
      [
        new Date(1),
        /x/,
        new Map(),
        new Set(),
        Object(1),
        new Error('x'),
        new Uint8Array(3),
        numbered(2),
      ].flatMap((each) => [each, each]),
  ],
  [
    'many that are referred to twice',
    () => {
      const all = Array.from({ length: 100 }, (_, i) => ({ i }));
      return [...all, ...all.reverse()];
    },
  ],
  [
    'circles',
    () => {
      const o: Record<string, unknown> = {};
      const m = new Map<unknown, unknown>([['o', o]]);
      m.set(m, new Set([m, o]));
      return Object.assign(o, { o, m, list: [o] });
    },
  ],
  ['300 levels', () => nested(300)],
  ['300 levels of everything', () => nestedInAll(300)],
  foreign('({ a: [1, { b: 2 }], c: "d" })'),
  foreign('[1, , 3]'),
  foreign('new Map([[1, new Map()]])'),
  foreign('new Set([1, {}])'),
  foreign('new Date(5)'),
  foreign('/a/gi'),
  foreign('new TypeError("x", { cause: new Error("y") })'),
  foreign('new Uint8Array([1, 2])'),
  foreign('new Float64Array([1, 2])'),
  foreign('new DataView(new ArrayBuffer(3), 1)'),
  foreign('new ArrayBuffer(3)'),
  foreign('[Object(1), Object("a"), Object(1n), Object(false)]'),
  foreign('new (class A { x = 1 })()'),
  foreign('new (class M extends Map { y = 1 })([[1, 2]])'),
  foreign('Object.assign(Object.create(null), { a: 1 })'),
  foreign('"abc".match(/b/)'),
  ['an emitter of events', () => new EventEmitter()],
];

/**
 * Values that structuredClone refuses, at least in newer runtimes, or that could not be given back to a
 * reader.
 */
export const refused: readonly Case[] = [
  ['a function', () => () => 1],
  ['a class', () => class {}],
  ['a symbol', () => Symbol('s')],
  ['a boxed symbol', () => Object(Symbol('s')) as unknown],
  ['a promise', () => Promise.resolve()],
  ['a WeakMap', () => new WeakMap()],
  ['a WeakSet', () => new WeakSet()],
  ['a WeakRef', () => new WeakRef({})],
  ['a FinalizationRegistry', () => new FinalizationRegistry(() => undefined)],
  [
    'a generator',
    () =>
      (function* () {
        yield 1;
      })(),
  ],
  ['an iterator', () => [1][Symbol.iterator]()],
  ['an iterator of a map', () => new Map([[1, 2]]).entries()],
  [
    'arguments',
    () =>
      (function (..._: number[]) {
        return arguments;
      })(1, 2),
  ],
  ['a proxy', () => new Proxy({ a: 1 }, {})],
  ['a proxy of an array', () => new Proxy([1], {})],
  ['a proxy that was revoked', () => revoked({})],
  ['a proxy of an array that was revoked', () => revoked([])],
  ...[
    Promise.resolve(),
    new WeakMap(),
    new WeakSet(),
    new Map([[1, 2]]).entries(),
    new Set([1]).values(),
    new SharedArrayBuffer(8),
    (function* () {
      yield 1;
    })(),
  ].map((each): Case => [
    `${Object.prototype.toString.call(each)} with the prototype of other objects`,
    () => Object.setPrototypeOf(each, {}) as unknown,
  ]),
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(8)],
  ['a view of a SharedArrayBuffer', () => new Uint8Array(new SharedArrayBuffer(8))],
  ['a detached ArrayBuffer', () => detached()],
  ['a view of a detached ArrayBuffer', () => detachedView()],
  ['a URL', () => new URL('http://x/')],
  ['a subclass of URL', () => new (class Mine extends URL {})('http://x/')],
  ['URLSearchParams', () => new URLSearchParams('a=b')],
  ['Headers', () => new Headers({ a: 'b' })],
  ['a Request', () => new Request('http://x/')],
  ['a Response', () => new Response('x')],
  ['FormData', () => new FormData()],
  ['a Blob', () => new Blob(['x'])],
  ['a ReadableStream', () => new ReadableStream()],
  ['an AbortSignal', () => new AbortController().signal],
  ['an AbortController', () => new AbortController()],
  ['a TextDecoder', () => new TextDecoder()],
  ['a MessageChannel', () => new MessageChannel()],
  ['an Event', () => new Event('x')],
  ['a number format', () => new Intl.NumberFormat()],
  ['a WebAssembly module', () => wasm()],
  ['a key', () => createSecretKey(Buffer.from('a'))],
  [
    'an object with a method',
    () => ({
      act() {
        return 1;
      },
    }),
  ],
  ['an error with a function', () => Object.assign(new Error('m'), { retry: () => 1 })],
  ['storage for asynchronous contexts', () => ({ run: new AsyncLocalStorage().run })],
  foreign('Promise.resolve()'),
  foreign('new WeakMap()'),
  foreign('() => 1'),
  foreign('new Proxy({}, {})'),
  foreign('(function () { return arguments })()'),
];

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function revoked(target: object): unknown {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function wasm(): unknown {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Module: new (bytes: Uint8Array) => object };
  };
  return new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
}

export function nested(levels: number): unknown {
  let value: unknown = 'the innermost';
  for (let i = 0; i < levels; i++) value = { value };
  return value;
}

function nestedInAll(levels: number): unknown {
  let value: unknown = {};
  for (let i = 0; i < levels; i += 5) {
    value = new Error('m', { cause: [new Map([[new Set([{ value, i }]), i]]), i] });
  }
  return value;
}
