import { SharedMemoryError, hasCode } from '../common/errors';
import { attachTo, type AnyHandle } from '../common/handles';
import { CorruptError, MismatchError } from './corrupt-error';

/** What this file needs of a shared object, to store it and to return it. */
interface Shared {
  readonly closed: boolean;
  readonly name: string;
  toJSON(): AnyHandle;
}

/**
 * Objects that were attached before and are still in use. The key is the handle that they were attached by.
 */
const attached = new Map<string, WeakRef<Shared>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (attached.get(key)?.deref() === undefined) attached.delete(key);
});

/** A shared object's handle in the form in which it is stored: JSON in ASCII. */
export function handleText(shared: object): string {
  return textOf((shared as Shared).toJSON());
}

/** A handle in the form in which it is stored. */
export function textOf(handle: AnyHandle): string {
  return JSON.stringify(handle).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @throws CorruptError the text is not a handle. */
export function parseHandle(text: string): AnyHandle {
  try {
    const handle = JSON.parse(text) as Partial<AnyHandle> | null;
    if (typeof handle?.shmkit === 'string' && typeof handle.name === 'string') {
      return handle as AnyHandle;
    }
  } catch {
    // Treated like any other text that is not a handle.
  }
  throw new CorruptError('a value in it is not a valid handle');
}

/** Set while a value is read for which {@link attachingBy} says how to attach. */
let attachNow: ((handle: AnyHandle) => object) | undefined;

/**
 * Reads a value whose shared objects are attached by a function, instead of by {@link attachTo}. For an
 * engine that has several servers, whose handles look the same.
 */
export function attachingBy<T>(attach: (handle: AnyHandle) => object, read: () => T): T {
  const before = attachNow;
  attachNow = attach;
  try {
    return read();
  } finally {
    attachNow = before;
  }
}

/**
 * Attaches to the object that a handle stands for. As long as that object is in use here and open, the same
 * handle returns the same object.
 */
export function attachShared(handle: AnyHandle): object {
  if (attachNow !== undefined) return attachNow(handle);
  const key = JSON.stringify(handle);
  const known = attached.get(key)?.deref();
  if (known && !known.closed) return known;
  let made: Shared;
  try {
    made = attachTo(handle) as Shared;
  } catch (error) {
    throw explainWithin(error, handle);
  }
  attached.set(key, new WeakRef(made));
  collected.register(made, key);
  return made;
}

/**
 * Converts an error of attaching to a shared object within a value. Its message must not suggest creating the
 * object.
 */
export function explainWithin(error: unknown, { shmkit: kind, name }: AnyHandle): unknown {
  // A manager's own error says whether it is gone or dead.
  if (hasCode(error, 'ENOENT') && kind !== 'manager') {
    const { syscall, errno } = error;
    const message = `${kind} '${name}' is gone: there is none with that name any more`;
    return new SharedMemoryError('ENOENT', message, {
      ...(syscall !== undefined && { syscall }),
      ...(errno !== undefined && { errno }),
      resource: name,
    });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_OUT_OF_RANGE') {
    const message = `a value in it contains a shared object of kind '${kind}', which this version does not know`;
    return new MismatchError(message, { cause: error });
  }
  if (code === 'ERR_INVALID_ARG_TYPE') {
    return new CorruptError('a value in it is not a valid handle', { cause: error });
  }
  return error;
}
