import { isPlain, replaced } from '../values/replaced';
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

interface Closable {
  close(): void;
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
  const attached = new Map<string, Closable>();
  try {
    const whole = replaced(value, 'value', (object, path) =>
      isHandle(object) ? attachOnce(object, path) : undefined,
    );
    return whole as AttachedAll<T>;
  } catch (error) {
    for (const object of attached.values()) object.close();
    throw error;
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
}

function isHandle(object: object): object is Handle {
  if (!isPlain(object)) return false;
  const { shmkit, name } = object as Partial<Record<keyof Handle, unknown>>;
  return typeof shmkit === 'string' && typeof name === 'string';
}
