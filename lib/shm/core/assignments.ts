/**
 * Properties that somebody assigns to a shared object which has none such: `dict.a = 1`. That would be
 * a property of this one handle, which nobody else ever sees, and so it is refused. So is what can only be
 * read, `list.length = 0`, which sloppy code would not be told of.
 *
 * The prototypes of shared objects inherit from a proxy. The engine asks it about what is on none of
 * them, so whatever there is costs what it always does.
 */
import { readOnlyProperty, unknownProperty } from '../../common/errors';
import { shown } from '../../common/shown';

/** How what was assigned is shared instead. */
type Way = (key: string, value: unknown) => string | undefined;

/** By kinds, as handles name them. */
const ways = new Map<string, Way>();

/** Tells what is to be said of an assignment to an object of that kind. */
export function assignedBy(kind: string, way: Way): void {
  ways.set(kind, way);
}

/** What is called instead of assigning what can only be read; by kinds, and by properties. */
const verbs = new Map<string, Readonly<Record<string, string>>>();

/** Tells by which verbs properties of an object of that kind, which can only be read, change. */
export function changedBy(kind: string, verbsOf: Readonly<Record<string, string>>): void {
  verbs.set(kind, verbsOf);
}

/** Of which kind an object is, if it is a shared object itself. */
function kindOf(receiver: object): string | undefined {
  const kind: unknown = Object.getOwnPropertyDescriptor(receiver, 'shmkit')?.value;
  return typeof kind === 'string' ? kind : undefined;
}

const strict = new Proxy(Object.create(Object.prototype) as object, {
  set(target, key, value, receiver: object) {
    // Objects that merely inherit from a handle, and the classes' prototypes, are others' business.
    const kind = kindOf(receiver);
    if (kind === undefined) return Reflect.set(target, key, value, receiver);
    const way = typeof key === 'string' ? ways.get(kind)?.(key, value) : undefined;
    throw unknownProperty(receiver.constructor.name, key, way);
  },
});

/** The prototypes whose properties that can only be read say so. */
const told = new WeakSet();

/** Gives what has no setter one that throws; strict code is told by the engine otherwise, sloppy code not. */
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
 * What the classes of shared objects extend: nothing can be assigned to their instances that none of
 * their prototypes has, or that can only be read.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- its prototype is what there is to it
export abstract class Unassignable {
  constructor() {
    // (Not of `new.target`: a minifier makes a function within this one of the call, which has none.)
    tellReaders(Object.getPrototypeOf(this) as object);
  }
}

Object.setPrototypeOf(Unassignable.prototype, strict);
// Where engines look for it, and ask no proxy, to name an object in messages of their own.
Object.defineProperty(
  Unassignable.prototype,
  'toString',
  Object.getOwnPropertyDescriptor(Object.prototype, 'toString') ?? {},
);

/** Of what has elements by their indices. */
export function assignedByIndex(verb: string): Way {
  return (key, value) => (/^-?\d+$/.test(key) ? `${verb}(${key}, ${shown(value)})` : undefined);
}
