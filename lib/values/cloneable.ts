import { invalidType } from '../common/errors';
import { sharedBrand } from '../common/handles';
import {
  entriesOf,
  isArguments,
  isArrayBuffer,
  isBoxedPrimitive,
  isDate,
  isDOMException,
  isExternal,
  isHidden,
  isMap,
  isModule,
  isNativeCode,
  isNativeError,
  isPromise,
  isProxy,
  isRegExp,
  isSet,
  membersOf,
  objectPrototype,
  tagged,
  textOf,
} from './intrinsics';

/** What an object is for the structured clone algorithm, whatever realm it is from. */
export const enum Kind {
  /** It cannot be cloned. */
  Refused = 0,
  /** It consists only of its own enumerable properties. */
  Plain = 1,
  Array = 2,
  Map = 3,
  Set = 4,
  Date = 5,
  RegExp = 6,
  Boxed = 7,
  Error = 8,
  DOMException = 9,
  ArrayBuffer = 10,
  View = 11,
  /** One of the library's named objects. */
  Shared = 12,
}

/** What a prototype says about the objects that have it. */
const enum Class {
  Ordinary = 0,
  /** Of a built-in class or a subclass of one. Each object must be checked for what it is. */
  BuiltIn = 1,
  /** Of a class of the runtime, with internal state that cannot be seen. */
  Opaque = 2,
  Shared = 3,
}

/**
 * Built-in classes that {@link kindOf} checks for. An object that inherits from such a class without being an
 * instance is treated like any other object.
 */
const askedFor = new Set([
  'Object',
  'Array',
  'Map',
  'Set',
  'Date',
  'RegExp',
  'Boolean',
  'Number',
  'String',
  'BigInt',
  'ArrayBuffer',
  'DataView',
  'TypedArray',
  'Error',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError',
  'AggregateError',
]);

const classes = new WeakMap<object, Class>();

/** Determines what an object is. */
export function kindOf(value: object): Kind {
  // A revoked proxy would throw in all the checks below.
  if (isProxy(value)) return Kind.Refused;
  if (Array.isArray(value)) return Kind.Array;
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype === objectPrototype) return seemsPlain(value) ? Kind.Plain : kindByAsking(value);
  if (prototype === null) return kindByAsking(value);
  switch (classOf(prototype)) {
    case Class.Ordinary:
      return seemsPlain(value) ? Kind.Plain : kindByAsking(value);
    case Class.BuiltIn:
      return kindByAsking(value);
    case Class.Shared:
      return Kind.Shared;
    case Class.Opaque:
      return isDOMException(value) ? Kind.DOMException : Kind.Refused;
  }
}

/**
 * Whether an object seems to be an ordinary one, so that the slower checks of {@link kindByAsking} are not
 * needed. It may for example be a Map that was given another prototype. Such an object is expected to have no
 * own properties, except for the elements of a typed array.
 */
function seemsPlain(value: object): boolean {
  return !ArrayBuffer.isView(value) && tagged(value) === '[object Object]' && hasProperties(value);
}

function hasProperties(value: object): boolean {
  for (const key in value) if (Object.hasOwn(value, key)) return true;
  return false;
}

function kindByAsking(value: object): Kind {
  if (ArrayBuffer.isView(value)) return Kind.View;
  if (isMap(value)) return Kind.Map;
  if (isSet(value)) return Kind.Set;
  if (isDate(value)) return Kind.Date;
  if (isDOMException(value)) return Kind.DOMException;
  if (isNativeError(value)) return Kind.Error;
  if (isRegExp(value)) return Kind.RegExp;
  if (isArrayBuffer(value)) return Kind.ArrayBuffer;
  if (isBoxedPrimitive(value)) return Kind.Boxed;
  if (isArguments(value) || isModule(value) || isExternal(value) || isPromise(value)) {
    return Kind.Refused;
  }
  return !hasProperties(value) && isHidden(value) ? Kind.Refused : Kind.Plain;
}

function classOf(prototype: object): Class {
  const known = classes.get(prototype);
  if (known !== undefined) return known;
  const found = judge(prototype);
  classes.set(prototype, found);
  return found;
}

/** Whether it is the prototype of a class of shared objects, or of a class that extends one. */
function isBranded(prototype: object): boolean {
  for (let at: object | null = prototype; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (isProxy(at)) return false;
    if (Object.hasOwn(at, sharedBrand)) return true;
  }
  return false;
}

/** Looks along the prototype chain for classes that are not the program's own. */
function judge(prototype: object): Class {
  if (isBranded(prototype)) return Class.Shared;
  let found = Class.Ordinary;
  for (let at: object | null = prototype; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (isProxy(at)) return Class.Opaque;
    if (at === objectPrototype) continue;
    const made: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value;
    if (typeof made === 'function' && isNativeCode(textOf(made as () => unknown))) {
      const { name } = made;
      if (name === 'Object') continue;
      if (!askedFor.has(name) && !isTyped(name)) {
        return Class.Opaque;
      }
      found = Class.BuiltIn;
    } else if (hasFixedTag(at)) {
      // Classes of the runtime have a tag that cannot be assigned. Classes of programs use a getter.
      return Class.Opaque;
    }
  }
  return found;
}

const isTyped = (name: string): boolean =>
  /^(?:Big)?(?:Uint|Int|Float)\d+(?:Clamped)?Array$/.test(name);

function hasFixedTag(prototype: object): boolean {
  const tag = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag);
  return tag !== undefined && tag.get === undefined && tag.writable === false;
}

/**
 * @param what - how messages describe the whole value.
 * @param part - the part of it that cannot be cloned.
 */
export function refusal(
  what: string,
  value: unknown,
  part: unknown,
  expected = 'a value that can be cloned',
): TypeError {
  return invalidType(what + (placeOf(part, value) ?? ''), expected, part);
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** The place of a part within a value. This is only needed for error messages. */
function placeOf(part: unknown, value: unknown): string | undefined {
  const seen = new Set<object>();
  const left: [unknown, string][] = [[value, '']];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [each, place] = next;
    if (Object.is(each, part)) return place;
    if (typeof each !== 'object' || each === null || seen.has(each)) continue;
    seen.add(each);
    // The last element is examined first, so the parts are pushed in reverse.
    try {
      left.push(...partsOf(each, place).reverse());
    } catch {
      // A getter throws: the search does not continue there.
    }
  }
  return undefined;
}

function partsOf(value: object, place: string): [unknown, string][] {
  const kind = kindOf(value);
  if (kind === Kind.Map) {
    return entriesOf(value).map((each, i) => [each, `${place}.${i % 2 === 0 ? 'keys' : 'get'}()`]);
  }
  if (kind === Kind.Set) return membersOf(value).map((each) => [each, `${place}.values()`]);
  if (kind === Kind.Array || kind === Kind.Plain || kind === Kind.Error) {
    const keys = new Set(Object.keys(value));
    if (kind === Kind.Error) for (const key of ['cause', 'errors']) keys.add(key);
    return [...keys]
      .filter((key) => Object.hasOwn(value, key))
      .map((key) => [(value as Record<string, unknown>)[key], place + step(kind, key)]);
  }
  return [];
}

/** What leads to a property or an element, in the place of a part. */
export function step(kind: Kind, key: string): string {
  if (kind === Kind.Array && /^\d+$/.test(key)) return `[${key}]`;
  return identifier.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
