import { Kind, kindOf, step } from '../values/cloneable';
import { attach, type Attached, type Handle } from './attach';

/** The type of a value in which each handle is replaced by the object that it stands for. */
export type AttachedAll<T> = T extends Handle
  ? Attached<T>
  : T extends Date | RegExp | Error | ArrayBuffer | ArrayBufferView | ((...args: never) => unknown)
    ? T
    : T extends Map<infer K, infer V>
      ? Map<AttachedAll<K>, AttachedAll<V>>
      : T extends Set<infer V>
        ? Set<AttachedAll<V>>
        : T extends object
          ? { [K in keyof T]: AttachedAll<T[K]> }
          : T;

const searched = new Set([Kind.Plain, Kind.Array, Kind.Map, Kind.Set]);

interface Closable {
  close(): void;
}

/** A part of the value: where it is, and how its replacement is put there. */
interface Part {
  readonly value: unknown;
  readonly path: string;
  readonly put: (replacement: unknown) => void;
}

/**
 * Attaches to all shared objects whose handles are in a value: a message that a process got, for example. Plain
 * objects, arrays, maps and sets are searched. They are copied, and their handles are replaced in the copies. All
 * other values stay as they are, such as objects of classes, and objects that are attached already. A handle that
 * is in the value several times gives the same object.
 *
 * Each of the objects is closed separately, as after {@link attach}.
 *
 * @throws what {@link attach} throws, with the place of the handle in the message. The objects that were attached
 * by then are closed.
 */
export function attachAll<T>(value: T): AttachedAll<T> {
  let whole: unknown;
  const parts: Part[] = [{ value, path: 'value', put: (copy) => (whole = copy) }];
  // The replacements of objects and handles. They keep identity, and end circles.
  const copies = new Map<object, unknown>();
  const attached = new Map<string, Closable>();
  try {
    // Not a recursion, because a message may be nested deeper than the stack. The list grows meanwhile.
    for (const { value: part, path, put } of parts) {
      put(isObject(part) ? replacementOf(part, path) : part);
    }
  } catch (error) {
    for (const object of attached.values()) object.close();
    throw error;
  }
  return whole as AttachedAll<T>;

  function replacementOf(object: object, path: string): unknown {
    const known = copies.get(object);
    if (known !== undefined) return known;
    const copy = copyOf(object, path);
    copies.set(object, copy);
    return copy;
  }

  function attachOnce(handle: Handle, path: string): object {
    const key = JSON.stringify(handle);
    const known = attached.get(key);
    if (known) return known;
    try {
      const object = attach(handle) as Closable;
      attached.set(key, object);
      return object;
    } catch (error) {
      if (error instanceof Error) error.message = `${path}: ${error.message}`;
      throw error;
    }
  }

  /** Attaches to a handle, or makes a copy without contents. The contents become parts that come later. */
  function copyOf(object: object, path: string): object {
    const later = (value: unknown, where: string, put: (replacement: unknown) => void) => {
      parts.push({ value, path: path + where, put });
    };
    const kind = kindOf(object);
    // Not objects of classes, which are more than their contents.
    if (!searched.has(kind) || depthOf(object) > (kind === Kind.Plain ? 1 : 2)) return object;
    switch (kind) {
      case Kind.Array:
      case Kind.Plain: {
        if (isHandle(object)) return attachOnce(object, path);
        const copy = Array.isArray(object) ? new Array<unknown>(object.length) : {};
        for (const [key, value] of Object.entries(object)) {
          later(value, step(kind, key), (replacement) => define(copy, key, replacement));
        }
        return copy;
      }
      case Kind.Map: {
        // Keys and values are put in pairs, in the order of the original.
        const copy = new Map<unknown, unknown>();
        for (const [key, value] of object as Map<unknown, unknown>) {
          let newKey: unknown;
          later(key, '.keys()', (replacement) => (newKey = replacement));
          later(value, '.get()', (replacement) => copy.set(newKey, replacement));
        }
        return copy;
      }
      case Kind.Set: {
        const copy = new Set<unknown>();
        for (const value of object as Set<unknown>) {
          later(value, '.values()', (replacement) => copy.add(replacement));
        }
        return copy;
      }
      default:
        return object;
    }
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** How many prototypes an object has, in whatever realm: a plain one has one at most, an array two. */
function depthOf(object: object): number {
  let depth = 0;
  for (let at: unknown = Object.getPrototypeOf(object); at !== null; depth++) {
    at = Object.getPrototypeOf(at);
  }
  return depth;
}

function isHandle(object: object): object is Handle {
  const { shmkit, name } = object as Partial<Record<keyof Handle, unknown>>;
  return typeof shmkit === 'string' && typeof name === 'string';
}

/** Not an assignment, because that would set the prototype if the key is `__proto__`. */
function define(copy: object, key: string, value: unknown): void {
  Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
}
