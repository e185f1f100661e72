import { Kind, kindOf, step } from './cloneable';

/** What is searched for parts. Anything else is more than its contents, or has none. */
const searched = new Set([Kind.Plain, Kind.Array, Kind.Map, Kind.Set]);

/** A part of the value: where it is, and how its replacement is put there. */
interface Part {
  readonly value: unknown;
  readonly path: string;
  readonly put: (replacement: unknown) => void;
}

/**
 * Chooses the replacement of an object in a value; undefined if it is to stay, or to be searched. Called once for each
 * object.
 */
export type Replace = (object: object, path: string) => object | undefined;

/**
 * A value in which some objects are replaced. Plain objects, arrays, maps and sets are searched, and copied. All other
 * values stay as they are, also objects of classes. What is in the value several times has one replacement.
 *
 * @param name - how paths call the value.
 */
export function replaced(value: unknown, name: string, replace: Replace): unknown {
  let whole: unknown;
  const parts: Part[] = [{ value, path: name, put: (copy) => (whole = copy) }];
  // The replacements of objects. They keep identity, and end circles.
  const copies = new Map<object, object>();
  // Not a recursion, because a value may be nested deeper than the stack. The list grows meanwhile.
  for (const { value: part, path, put } of parts) {
    put(isObject(part) ? replacementOf(part, path) : part);
  }
  return whole;

  function replacementOf(object: object, path: string): object {
    const known = copies.get(object);
    if (known !== undefined) return known;
    const copy = copyOf(object, path);
    copies.set(object, copy);
    return copy;
  }

  /** A replacement, or a copy without contents. The contents become parts that come later. */
  function copyOf(object: object, path: string): object {
    const later = (value: unknown, where: string, put: (replacement: unknown) => void) => {
      parts.push({ value, path: path + where, put });
    };
    const replacement = replace(object, path);
    if (replacement !== undefined) return replacement;
    const kind = kindOf(object);
    if (!searched.has(kind) || depthOf(object) > (kind === Kind.Plain ? 1 : 2)) return object;
    switch (kind) {
      case Kind.Array:
      case Kind.Plain: {
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

/** Whether it is a plain object or an array, and of no class. */
export function isPlain(object: object): boolean {
  const kind = kindOf(object);
  return kind === Kind.Plain && depthOf(object) <= 1;
}

/** How many prototypes an object has, in whatever realm: a plain one has one at most, an array two. */
function depthOf(object: object): number {
  let depth = 0;
  for (let at: unknown = Object.getPrototypeOf(object); at !== null; depth++) {
    at = Object.getPrototypeOf(at);
  }
  return depth;
}

/** Not an assignment, because that would set the prototype if the key is `__proto__`. */
function define(copy: object, key: string, value: unknown): void {
  Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
}
