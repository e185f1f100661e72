/**
 * Properties that somebody assigns to a shared object which has none such: `dict.a = 1`. That would be
 * a property of this one handle, which nobody else ever sees, and so it is refused.
 *
 * The prototypes of shared objects inherit from a proxy. The engine asks it about what is on none of
 * them, so whatever there is costs what it always does.
 */
import { unknownProperty } from '../errors';
import { shown } from '../shown';

/** How what was assigned is shared instead. */
type Way = (key: string, value: unknown) => string | undefined;

/** By kinds, as handles name them. */
const ways = new Map<string, Way>();

/** Tells what is to be said of an assignment to an object of that kind. */
export function assignedBy(kind: string, way: Way): void {
  ways.set(kind, way);
}

const strict = new Proxy(Object.create(Object.prototype) as object, {
  set(target, key, value, receiver: object) {
    // Objects that merely inherit from a handle, and the classes' prototypes, are others' business.
    const kind: unknown = Object.getOwnPropertyDescriptor(receiver, 'shmkit')?.value;
    if (typeof kind !== 'string') return Reflect.set(target, key, value, receiver);
    const way = typeof key === 'string' ? ways.get(kind)?.(key, value) : undefined;
    throw unknownProperty(receiver.constructor.name, key, way);
  },
});

/**
 * What the classes of shared objects extend: no property can be assigned to their instances that none of
 * their prototypes has.
 */
// eslint-disable-next-line @typescript-eslint/no-extraneous-class -- its prototype is what there is to it
export abstract class Unassignable {}

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
