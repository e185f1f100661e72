// Facts about the element types, stated independently of the library.
import type { ElementOf, ElementType } from 'shmkit';

export const smallIntegers = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'] as const;
export const bigTypes: readonly ElementType[] = ['int64', 'uint64'];
export const integers = [...smallIntegers, 'int64', 'uint64'] as const;
export const floatTypes = ['float32', 'float64'] as const;
export const numberTypes: readonly ElementType[] = [...smallIntegers, ...floatTypes];
export const allTypes = [...integers, ...floatTypes] as const;

/** The least and the greatest integer of a type, derived from its name. */
export function limitsOf(type: (typeof integers)[number]): { least: bigint; most: bigint } {
  const bits = BigInt(type.replace(/\D/g, ''));
  const isSigned = type.startsWith('i');
  return isSigned
    ? { least: -(2n ** (bits - 1n)), most: 2n ** (bits - 1n) - 1n }
    : { least: 0n, most: 2n ** bits - 1n };
}

export function bytesOf(type: ElementType): number {
  return Number(type.replace(/\D/g, '')) / 8;
}

/** Converts a number to an element of the type. */
export function valueOf<T extends ElementType>(type: T, n: number): ElementOf<T> {
  return (bigTypes.includes(type) ? BigInt(n) : n) as ElementOf<T>;
}
