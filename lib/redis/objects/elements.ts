import type { ElementOf, ElementType } from '../../common/element-types';
import { invalidType, outOfRange } from '../../common/errors';

/** How a number is stored: small integers and int64 as decimal digits, floats as their bytes, the lowest first. */
export type Form = 'small' | 'int64' | 'uint64' | 'float32' | 'float64';

/** The checks and the stored form of the numbers of one type. What is equal bit for bit has the same bytes. */
export interface Elements<V extends number | bigint> {
  readonly form: Form;
  readonly least: string;
  readonly most: string;
  /** Throws unless it is a value of the type. */
  check(what: string, value: unknown): V;
  /** Throws unless it is a value of the type or the negative of one. */
  checkDelta(delta: unknown): V;
  store(value: V): Buffer;
  load(stored: Buffer): V;
}

const digits = (value: number | bigint): Buffer => Buffer.from(String(value), 'latin1');

function integers(least: number, most: number): Elements<number> {
  const check = (what: string, value: unknown, from: number, to: number): number => {
    if (typeof value !== 'number') throw invalidType(what, 'a number', value);
    if (Number.isInteger(value) && value >= from && value <= to) return value;
    throw outOfRange(what, `an integer from ${from} to ${to}`, value);
  };
  return {
    form: 'small',
    least: String(least),
    most: String(most),
    check: (what, value) => check(what, value, least, most),
    checkDelta: (delta) => check('delta', delta, least - most, most - least),
    // There is no negative zero among integers.
    store: (value) => digits(value + 0),
    load: (stored) => Number(stored.toString('latin1')),
  };
}

function bigIntegers(form: Form, least: bigint, most: bigint): Elements<bigint> {
  const check = (what: string, value: unknown, from: bigint, to: bigint): bigint => {
    if (typeof value !== 'bigint') {
      const expected = Number.isInteger(value) ? `a bigint (${String(value)}n)` : 'a bigint';
      throw invalidType(what, expected, value);
    }
    if (value >= from && value <= to) return value;
    throw outOfRange(what, `an integer from ${from}n to ${to}n`, value);
  };
  return {
    form,
    least: String(least),
    most: String(most),
    check: (what, value) => check(what, value, least, most),
    checkDelta: (delta) => check('delta', delta, least - most, most - least),
    store: digits,
    load: (stored) => BigInt(stored.toString('latin1')),
  };
}

function floats(form: 'float32' | 'float64'): Elements<number> {
  const bytes = form === 'float32' ? 4 : 8;
  const check = (what: string, value: unknown): number => {
    if (typeof value !== 'number') throw invalidType(what, 'a number', value);
    return value;
  };
  const viewOf = (buffer: Buffer) => new DataView(buffer.buffer, buffer.byteOffset, bytes);
  return {
    form,
    least: '',
    most: '',
    check,
    checkDelta: (delta) => check('delta', delta),
    store: (value) => {
      const stored = Buffer.alloc(bytes);
      if (form === 'float32') viewOf(stored).setFloat32(0, value, true);
      else viewOf(stored).setFloat64(0, value, true);
      return stored;
    },
    load: (stored) =>
      form === 'float32' ? viewOf(stored).getFloat32(0, true) : viewOf(stored).getFloat64(0, true),
  };
}

const all: { readonly [T in ElementType]: Elements<ElementOf<T>> } = {
  int8: integers(-128, 127),
  uint8: integers(0, 255),
  int16: integers(-32_768, 32_767),
  uint16: integers(0, 65_535),
  int32: integers(-(2 ** 31), 2 ** 31 - 1),
  uint32: integers(0, 2 ** 32 - 1),
  int64: bigIntegers('int64', -(2n ** 63n), 2n ** 63n - 1n),
  uint64: bigIntegers('uint64', 0n, 2n ** 64n - 1n),
  float32: floats('float32'),
  float64: floats('float64'),
};

export function elementsOf<T extends ElementType>(type: T): Elements<ElementOf<T>> {
  return all[type];
}
