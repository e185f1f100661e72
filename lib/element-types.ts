import { outOfRange } from './errors';

/** The typed array of each element type, by numpy's names. */
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

/** An element type by its name in numpy. `int64` and `uint64` are BigInt. */
export type ElementType = keyof TypedArrays;

interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
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

export function constructorOf<T extends ElementType>(
  type: T,
): TypedArrayConstructor<TypedArrays[T]> {
  if (!Object.hasOwn(constructors, type)) {
    throw outOfRange('type', `one of ${Object.keys(constructors).join(', ')}`, type);
  }
  return constructors[type];
}
