import { types } from 'node:util';
import { invalidType } from '../errors';
import { isShared } from './handles';

/** How a value that can be cloned is to be packed. */
export const enum Way {
  /** By msgpackr, fast. */
  Fast = 0,
  /** By msgpackr, and has shared objects in it. */
  Shared = 1,
  /** By the engine itself: something in it is lost otherwise. */
  Exact = 2,
}

/** How many objects are looked at before those that were are remembered. */
const manyObjects = 100;

const fewCharacters = 32;

const loneSurrogate = /\p{Surrogate}/u;

/** Classes, besides plain objects and arrays, that msgpackr keeps whole. */
const kept = new Set<unknown>([
  ArrayBuffer,
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
  DataView,
  Date,
  RegExp,
]);

/** Errors whose class comes back. */
const errors = new Set<unknown>([
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
]);

/** Objects that the structured clone algorithm refuses, and msgpackr makes `{}` of. */
function cannotBeCloned(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isSharedArrayBuffer(value) ||
    types.isProxy(value) ||
    types.isGeneratorObject(value) ||
    types.isExternal(value) ||
    value instanceof WeakRef
  );
}

/**
 * Looks through a value before it is packed: whether it can be cloned, and by what means wholly.
 * msgpackr leaves out functions without a word, and changes -0, half surrogate pairs and holes.
 */
class Survey {
  #way = Way.Fast;
  #left = manyObjects;
  #seen: Set<object> | undefined;
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  static of(what: string, value: object): Way {
    const survey = new Survey(what);
    if (survey.#object(value, '')) return survey.#way;
    // So many that there may be circles.
    survey.#seen = new Set();
    survey.#object(value, '');
    return survey.#way;
  }

  /** @returns false when it has seen enough for one that remembers nothing. */
  #value(value: unknown, path: string): boolean {
    switch (typeof value) {
      case 'string':
        if (value.length > 0 && !isWellFormed(value)) this.#exact();
        return true;
      case 'number':
        if (value === 0 && 1 / value < 0) this.#exact();
        return true;
      case 'function':
      case 'symbol':
        throw this.#refusal(value, path);
      case 'object':
        return value === null || this.#object(value, path);
      default:
        return true;
    }
  }

  #object(value: object, path: string): boolean {
    if (this.#seen !== undefined) {
      if (this.#seen.has(value)) return true;
      this.#seen.add(value);
    } else if (--this.#left < 0) {
      return false;
    }
    if (Array.isArray(value)) return this.#array(value, path);
    const prototype: unknown = Reflect.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.#record(value, path);
    return this.#other(value, prototype, path);
  }

  #array(value: readonly unknown[], path: string): boolean {
    for (let i = 0; i < value.length; i++) {
      const each = value[i];
      if (each === undefined && !(i in value)) this.#exact();
      // The path is spelled out only when it is needed.
      if (typeof each === 'number' && each !== 0) continue;
      if (!this.#value(each, typeof each === 'object' ? `${path}[${i}]` : path)) return false;
    }
    return true;
  }

  #record(value: object, path: string): boolean {
    for (const key in value) {
      if (!Object.hasOwn(value, key)) continue;
      const each = (value as Record<string, unknown>)[key];
      if (key === '__proto__') this.#exact();
      if (typeof each === 'function' || typeof each === 'symbol') {
        throw this.#refusal(each, `${path}.${key}`);
      }
      if (typeof each === 'object' && each !== null) {
        if (!this.#object(each, `${path}.${key}`)) return false;
      } else {
        this.#value(each, path);
      }
    }
    return true;
  }

  #other(value: object, prototype: unknown, path: string): boolean {
    if (isShared(value)) {
      this.#way = Way.Shared;
      return true;
    }
    if (types.isMap(value)) {
      for (const [key, each] of value) {
        if (!this.#value(key, `${path}.keys()`) || !this.#value(each, `${path}.get()`))
          return false;
      }
      return true;
    }
    if (types.isSet(value)) {
      for (const each of value) if (!this.#value(each, `${path}.values()`)) return false;
      return true;
    }
    const { constructor } = value as { constructor?: unknown };
    if (types.isNativeError(value)) {
      // Its stack comes along this way only, and what is neither message nor cause by no other.
      if (!errors.has(constructor) || Object.keys(value).length > 0) this.#exact();
      return 'cause' in value ? this.#value(value.cause, `${path}.cause`) : true;
    }
    if (kept.has(constructor)) return true;
    if (cannotBeCloned(value)) throw this.#refusal(value, path);
    if (prototype !== null && !isUserClass(value)) {
      this.#exact();
      return true;
    }
    return this.#record(value, path);
  }

  #exact(): void {
    if (this.#way === Way.Fast) this.#way = Way.Exact;
  }

  #refusal(value: unknown, path: string): TypeError {
    return invalidType(this.#what + path, 'a value that can be cloned', value);
  }
}

/** An object like any other, but for its prototype; not one of the engine's own, such as `new Number(1)`. */
function isUserClass(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function isWellFormed(text: string): boolean {
  // Faster than a call, for texts such as there are most.
  if (text.length > fewCharacters) return !loneSurrogate.test(text);
  for (let i = 0; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xf800) === 0xd800) return !loneSurrogate.test(text);
  }
  return true;
}

/**
 * How to pack a value.
 *
 * @param what - how messages speak of it.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` something in it cannot be cloned.
 */
export function wayToPack(what: string, value: object): Way {
  return Survey.of(what, value);
}
