/**
 * Functions that check or read objects of the built-in classes. They work for objects of another realm (`vm`,
 * test runners) and for subclasses. They also work if a program has replaced methods of the built-in classes,
 * because the original methods are saved when this file is evaluated.
 */
import { types } from 'node:util';
import { getter } from '../common/getters';

/* eslint-disable @typescript-eslint/unbound-method -- they are called with `Reflect.apply` or `call` */

export const objectPrototype: object = Object.prototype;
const toString = objectPrototype.toString;
const regExpSource = getter(RegExp.prototype, 'source');
const regExpFlags = getter(RegExp.prototype, 'flags');
const bytesOfBuffer = getter(ArrayBuffer.prototype, 'byteLength');
const dateTime = Date.prototype.getTime;
const mapForEach = Map.prototype.forEach;
const setForEach = Set.prototype.forEach;
const functionToString = Function.prototype.toString;
const valuesOf: ((this: never) => boolean | number | string | bigint)[] = [
  Boolean.prototype.valueOf,
  Number.prototype.valueOf,
  String.prototype.valueOf,
  BigInt.prototype.valueOf,
];

type Test = (value: unknown) => boolean;

/**
 * Returns a test of `node:util`. A runtime may lack the test for things that it does not have. Then nothing
 * passes the test.
 */
function test(name: keyof typeof types): Test {
  const found = (types as Partial<Record<string, Test>>)[name];
  return found ?? (() => false);
}

export const isProxy = test('isProxy');
export const isMap = test('isMap');
export const isSet = test('isSet');
export const isDate = test('isDate');
export const isRegExp = test('isRegExp');
export const isNativeError = test('isNativeError');
export const isArrayBuffer = test('isArrayBuffer');
export const isArguments = test('isArgumentsObject');
export const isExternal = test('isExternal');
export const isModule = test('isModuleNamespaceObject');
export const isPromise = test('isPromise');
/** Collections and iterators with internal state that cannot be seen, and SharedArrayBuffer. */
const hidden = (
  [
    'isWeakMap',
    'isWeakSet',
    'isMapIterator',
    'isSetIterator',
    'isGeneratorObject',
    'isSharedArrayBuffer',
  ] as const
).map(test);
const isBoxed = test('isBoxedPrimitive');
const isBoxedSymbol = test('isSymbolObject');

/** Returns for example `[object Array]`. */
export const tagged = (value: object): string => toString.call(value);

/** Whether it is a Node Buffer, which may be part of a pool. */
export function isBuffer(value: ArrayBufferView): value is Buffer {
  return Buffer.isBuffer(value);
}

export const isHidden = (value: object): boolean => hidden.some((isOne) => isOne(value));

/** The size of an ArrayBuffer in bytes. Not for a SharedArrayBuffer. */
export const byteLengthOf = (buffer: ArrayBufferLike): number =>
  bytesOfBuffer.call(buffer) as number;

export const timeOf = (date: object): number => dateTime.call(date as Date);
export const sourceOf = (expression: object): string => regExpSource.call(expression) as string;
export const flagsOf = (expression: object): string => regExpFlags.call(expression) as string;

/** Returns the present entries of a Map: each key, followed by its value. */
export function entriesOf(map: object): unknown[] {
  const all: unknown[] = [];
  mapForEach.call(map as Map<unknown, unknown>, (value: unknown, key: unknown) => {
    all.push(key, value);
  });
  return all;
}

export function membersOf(set: object): unknown[] {
  const all: unknown[] = [];
  setForEach.call(set as Set<unknown>, (value: unknown) => {
    all.push(value);
  });
  return all;
}

/** Whether it is an object that wraps a boolean, number, string or bigint. */
export function isBoxedPrimitive(value: object): boolean {
  return isBoxed(value) && !isBoxedSymbol(value);
}

export function primitiveOf(boxed: object): boolean | number | string | bigint {
  for (const valueOf of valuesOf) {
    try {
      return valueOf.call(boxed as never);
    } catch {
      // It wraps another type.
    }
  }
  throw new TypeError('not a wrapper object of a primitive value');
}

export const isNativeCode = (text: string): boolean => /\{\s*\[native code\]\s*\}\s*$/.test(text);

export const textOf = (made: (...args: never[]) => unknown): string => functionToString.call(made);

const { DOMException: OwnDOMException } = globalThis as { DOMException?: typeof DOMException };
const exceptionName =
  OwnDOMException && Object.getOwnPropertyDescriptor(OwnDOMException.prototype, 'name')?.get;

/** This runtime's DOMException class. */
export { OwnDOMException };

export function isDOMException(value: object): value is DOMException {
  if (exceptionName === undefined || !('code' in value)) return false;
  try {
    exceptionName.call(value);
    return true;
  } catch {
    return false;
  }
}
