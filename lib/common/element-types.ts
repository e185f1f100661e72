import { invalidType, outOfRange } from './errors';
import { getter, type Getter } from './getters';
import { nearestOf } from './misspelt';

/** The typed array for each element type. The types have the names that they have in numpy. */
export interface TypedArrays {
  int8: Int8Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  int16: Int16Array<ArrayBuffer>;
  uint16: Uint16Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint32: Uint32Array<ArrayBuffer>;
  int64: BigInt64Array<ArrayBuffer>;
  uint64: BigUint64Array<ArrayBuffer>;
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
}

/** An element type, by its numpy name. Elements of `int64` and `uint64` are BigInt. */
export type ElementType = keyof TypedArrays;

/** The JavaScript type of an element. */
export type ElementOf<T extends ElementType> = T extends 'int64' | 'uint64' ? bigint : number;

interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): T;
  new (buffer: ArrayBuffer, byteOffset?: number, length?: number): T;
}

const constructors: { [T in ElementType]: TypedArrayConstructor<TypedArrays[T]> } = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

const typedArrayNames: Record<ElementType, string> = {
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  int16: 'Int16Array',
  uint16: 'Uint16Array',
  int32: 'Int32Array',
  uint32: 'Uint32Array',
  int64: 'BigInt64Array',
  uint64: 'BigUint64Array',
  float32: 'Float32Array',
  float64: 'Float64Array',
};

/** The types in the order of the numbers that stand for them in object headers, counted from 1. */
const names = Object.keys(constructors) as ElementType[];

export function constructorOf<T extends ElementType>(
  type: T,
): TypedArrayConstructor<TypedArrays[T]> {
  return constructors[checkType(type)];
}

export function checkType<T extends ElementType>(type: T | undefined): T {
  if (typeof type !== 'string') throw invalidType('type', expected(classNameOf(type)), type);
  if (!Object.hasOwn(constructors, type)) throw outOfRange('type', expected(type), type);
  return type;
}

/**
 * Names for these types in C, in Python's `array` module and in common speech, and names of JavaScript
 * numbers.
 */
const aliases: Readonly<Record<string, ElementType>> = {
  ...{ b: 'int8', B: 'uint8', h: 'int16', H: 'uint16', i: 'int32', I: 'uint32' },
  ...{ l: 'int64', L: 'uint64', q: 'int64', Q: 'uint64', f: 'float32', d: 'float64' },
  ...{ byte: 'uint8', char: 'int8', short: 'int16', int: 'int32', long: 'int64', bigint: 'int64' },
  ...{ integer: 'int32', number: 'float64', float: 'float32', double: 'float64' },
  ...{ uint: 'uint32', unsigned: 'uint32', ulong: 'uint64', ushort: 'uint16', uchar: 'uint8' },
};

/**
 * Names for these types in other languages, which contain the number of bits: Rust's `i32`, C's `int32_t`.
 */
const others = /^(int|i|uint|u|float|f)(8|16|32|64)(?:_t)?$/;

function expected(given: string | undefined): string {
  const near = given === undefined ? undefined : meantBy(given);
  return `one of ${names.join(', ')}${near === undefined ? '' : ` (probably '${near}')`}`;
}

function meantBy(given: string): ElementType | undefined {
  if (Object.hasOwn(aliases, given)) return aliases[given];
  const ofClass = names.find((type) => typedArrayNames[type] === given);
  const [, family = '', bits = ''] = others.exec(given) ?? [];
  const ofOthers = names.find((type) => type.startsWith(family) && type.endsWith(bits));
  return ofClass ?? (bits === '' ? nearestOf(given, names) : ofOthers);
}

function classNameOf(type: unknown): string | undefined {
  return typeof type === 'function' ? type.name : undefined;
}

/** The number that stands for an element type in an object's header. */
export function numberOfType(type: ElementType): number {
  return names.indexOf(type) + 1;
}

/** The type that a number in a header stands for, or undefined when there is none. */
export function typeOfNumber(number: number): ElementType | undefined {
  return names[number - 1];
}

const arrayPrototype = Object.getPrototypeOf(Uint8Array.prototype) as object;
const tagOfArray = getter(arrayPrototype, Symbol.toStringTag);
const lengthOfArray = getter(arrayPrototype, 'length');
const extentOfArray = extentGetters(arrayPrototype);
const extentOfDataView = extentGetters(DataView.prototype);

function extentGetters(prototype: object): readonly [Getter, Getter, Getter] {
  return [
    getter(prototype, 'buffer'),
    getter(prototype, 'byteOffset'),
    getter(prototype, 'byteLength'),
  ];
}

/**
 * The class name of a typed array, as the engine knows it. This also works for arrays of another realm and
 * for subclasses. Undefined for anything else.
 */
export function typedArrayName(value: unknown): string | undefined {
  return tagOfArray.call(value) as string | undefined;
}

/** The length of a typed array, even if the array has an own property with that name. */
export const lengthOf = (array: ArrayBufferView): number => lengthOfArray.call(array) as number;

/** The buffer that a view belongs to, and the range of the buffer that it covers. */
export interface Extent {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The extent of a view, even if the view has own properties with those names. */
export function extentOf(view: ArrayBufferView): Extent {
  const isArray = typedArrayName(view) !== undefined;
  const [buffer, byteOffset, byteLength] = isArray ? extentOfArray : extentOfDataView;
  return {
    buffer: buffer.call(view) as ArrayBufferLike,
    byteOffset: byteOffset.call(view) as number,
    byteLength: byteLength.call(view) as number,
  };
}

export function isUint8Array(value: unknown): value is Uint8Array {
  return typedArrayName(value) === 'Uint8Array';
}

/** A typed array over the same elements that is exactly what it seems: it has no own properties. */
export function plainArray<T extends ElementType>(type: T, array: ArrayBufferView): TypedArrays[T] {
  const { buffer, byteOffset } = extentOf(array);
  return new (constructorOf(type))(buffer as ArrayBuffer, byteOffset, lengthOf(array));
}

/** The element type of a typed array, or undefined when it is not one of the known types. */
export function typeOfArray(array: unknown): ElementType | undefined {
  const found = typedArrayName(array);
  return names.find((type) => typedArrayNames[type] === found);
}
