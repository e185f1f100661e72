/**
 * Handles assignments to properties that a shared object does not have: `dict.a = 1`. This would set a
 * property of this one handle, which no other process ever sees, so it is refused. Assignments to read-only
 * properties are refused too: `list.length = 0`. Without this, non-strict code would get no error.
 *
 * The prototypes of shared objects inherit from a proxy. The engine asks the proxy only about properties that
 * none of the prototypes has, so all existing properties cost as much as usual.
 */
import { readOnlyProperty, unknownProperty } from '../../common/errors';
import { shown } from '../../common/shown';

/**
 * Returns code for the error message: the call that the program should make instead of the assignment, such as
 * `set('a', 1)`. Returns undefined if there is no such call.
 */
type Way = (key: string, value: unknown) => string | undefined;

/** What to suggest, by the kind of the object: the text in its property `shmkit`, such as `'dict'`. */
const ways = new Map<string, Way>();

/** Sets what to suggest for an assignment to an object of that kind. */
export function assignedBy(kind: string, way: Way): void {
  ways.set(kind, way);
}

/** What to call instead of assigning a read-only property, by kind and by property. */
const verbs = new Map<string, Readonly<Record<string, string>>>();

/** Sets which methods change the read-only properties of an object of that kind. */
export function changedBy(kind: string, verbsOf: Readonly<Record<string, string>>): void {
  verbs.set(kind, verbsOf);
}

/** Returns the kind of a shared object. Returns undefined for other objects, also if they inherit from one. */
function kindOf(receiver: object): string | undefined {
  const kind: unknown = Object.getOwnPropertyDescriptor(receiver, 'shmkit')?.value;
  return typeof kind === 'string' ? kind : undefined;
}

const strict = new Proxy(Object.create(Object.prototype) as object, {
  set(target, key, value, receiver: object) {
    // Objects that merely inherit from a handle, and the prototypes of classes, are not checked.
    const kind = kindOf(receiver);
    if (kind === undefined) return Reflect.set(target, key, value, receiver);
    const way = typeof key === 'string' ? ways.get(kind)?.(key, value) : undefined;
    throw unknownProperty(receiver.constructor.name, key, way);
  },
});

/** Prototypes whose read-only properties throw already. */
const told = new WeakSet();

/**
 * Gives properties without a setter one that throws. Otherwise the engine would throw in strict code only.
 */
function tellReaders(prototype: object): void {
  for (let at = prototype; at !== Unassignable.prototype && !told.has(at);) {
    told.add(at);
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (property.get === undefined || property.set !== undefined) continue;
      Object.defineProperty(at, key, {
        set(this: object) {
          const instead = verbs.get(kindOf(this) ?? '')?.[key];
          throw readOnlyProperty(this.constructor.name, key, instead);
        },
      });
    }
    at = Object.getPrototypeOf(at) as object;
  }
}

/**
 * The base class of all shared objects. A property of an instance can only be assigned if one of its
 * prototypes has it and it is not read-only.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- its prototype is what there is to it
export abstract class Unassignable {
  constructor() {
    // (Not by `new.target`: a minifier turns the call into a function inside this one, which has no
    // `new.target`.)
    tellReaders(Object.getPrototypeOf(this) as object);
  }
}

Object.setPrototypeOf(Unassignable.prototype, strict);
// JavaScript engines use `toString` to name an object in their own messages. They then find it here, and do not ask
// the proxy.
Object.defineProperty(
  Unassignable.prototype,
  'toString',
  Object.getOwnPropertyDescriptor(Object.prototype, 'toString') ?? {},
);

/**
 * Makes a {@link Way} for objects that have elements with indices. For an assignment to an index it suggests a
 * call of the method `verb`, such as `set(0, 1)`.
 */
export function assignedByIndex(verb: string): Way {
  return (key, value) => (/^-?\d+$/.test(key) ? `${verb}(${key}, ${shown(value)})` : undefined);
}
