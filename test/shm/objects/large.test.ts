// Values with large buffers, which are not copied when they are read: they come back as structuredClone() keeps them.
import { constants } from 'node:buffer';
import { readdirSync } from 'node:fs';
import { SharedObject } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { difference } from '../../support/same-value';
import { onLinux } from '../../support/system';
import type { Case } from '../../support/value-cases';

/** More than a page, and no multiple of anything. */
const bytes = 10_007;

const numbered = (length = bytes) => Uint8Array.from({ length }, (_, i) => (i * 7) % 251);

type GrowingBuffer = new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;

function growing(most: number): ArrayBuffer {
  const Growing = ArrayBuffer as unknown as GrowingBuffer;
  const buffer = new Growing(bytes, { maxByteLength: most });
  new Uint8Array(buffer).set(numbered());
  return buffer;
}

const { Float16Array } = globalThis as { Float16Array?: new (buffer: ArrayBuffer) => object };

const cases: Case[] = [
  ['the same array twice', () => [numbered()].flatMap((each) => [each, { each }])],
  [
    'arrays as the keys of a map, and in a set',
    () => new Map<unknown, unknown>([numbered(), numbered()].map((key) => [key, new Set([key])])),
  ],
  [
    'a circle through a map',
    () => {
      const map = new Map<unknown, unknown>([['array', numbered()]]);
      return map.set('map', { map, list: [map] });
    },
  ],
  [
    'views of every kind of one buffer',
    () => {
      const { buffer } = numbered(16 * 1000);
      return {
        views: [
          new Int8Array(buffer, 1),
          new Uint8ClampedArray(buffer, 3, 5),
          new Int16Array(buffer, 2),
          new Float32Array(buffer, 4000, 2000),
          new Float64Array(buffer, 8),
          new BigUint64Array(buffer, 8000),
          new DataView(buffer, 15_999),
        ],
        buffer,
      };
    },
  ],
  [
    'a thousand views of one buffer',
    () => {
      const { buffer } = numbered();
      return Array.from({ length: 1000 }, (_, i) => new Uint8Array(buffer, i, 1000));
    },
  ],
  [
    'views without a byte, at the beginning, within and at the end',
    () => {
      const { buffer } = numbered();
      return [0, 5000, bytes].map((at) => new Uint8Array(buffer, at, 0));
    },
  ],
  ['a view without a byte alone', () => new DataView(numbered().buffer, bytes)],
  ['a buffer in a set', () => new Set([numbered().buffer])],
  ['a Buffer, as a Uint8Array', () => Buffer.from(numbered().buffer)],
  ['a subclass', () => new (class Mine extends Float64Array {})(2000)],
  ['a view as long as a buffer that can grow', () => new Uint8Array(growing(3 * bytes))],
  ['one that stays so', () => new Uint8Array(growing(3 * bytes), 7, 5000)],
  ['a buffer that has grown as far as it can', () => growing(bytes)],
  ['an error with an array as its cause', () => new Error('m', { cause: numbered() })],
];

describe('a value comes back:', () => {
  it.each(cases)('%s', (_, make) => {
    const value = make();
    using object = SharedObject.create({ from: { value } });
    using other = SharedObject.attach<{ value: unknown }>(object.name);
    expect(difference(other.value.value, structuredClone(value))).toBeUndefined();
  });

  it.each([
    ['several errors in one', () => new AggregateError([new Error('a')], 'm')],
    ['an error with a code', () => Object.assign(new Error('m'), { code: 'ENOENT' })],
  ])('%s, of which structuredClone() keeps less', (_, make) => {
    const value = make();
    using object = SharedObject.create({ from: { value } });
    expect(difference(object.value.value, value)).toBeUndefined();
  });

  it.runIf(Float16Array)('a Float16Array (where there is one)', () => {
    const value = new Float16Array!(numbered(10_008).buffer);
    using object = SharedObject.create({ from: [value] });
    expect(difference(object.value[0], value)).toBeUndefined();
  });
});

const isLimited = constants.MAX_LENGTH < 2 ** 33;

it.runIf(isLimited)(
  'more bytes than an ArrayBuffer can have: an error, and nothing is made',
  () => {
    const files = () => (onLinux ? readdirSync('/dev/shm') : []);
    const before = files();
    expectCode(
      () => SharedObject.allocate({ size: 2 ** 33 }),
      'ERR_ZERO_COPY_UNAVAILABLE',
      '8589934592 bytes',
    );
    expect(files()).toEqual(before);
  },
);
