import { SharedMemoryError, hasCode } from '../common/errors';
import { CorruptError, MismatchError } from './corrupt-error';

/** A shared object as plain data, whatever its kind. */
export interface AnyHandle {
  readonly shmkit: string;
  readonly name: string;
}

/** What a shared object looks like from here: enough to store it, and to give it back. */
interface Shared {
  readonly closed: boolean;
  readonly name: string;
  toJSON(): AnyHandle;
}

/**
 * What the prototypes of named objects have, by which they are known: those of another copy of the
 * library, too, or of one that was evaluated in another realm.
 */
export const sharedBrand = Symbol.for('shmkit.handle');

/** How a handle becomes an object: told by the floor that knows the classes. */
let attachTo: ((handle: AnyHandle) => object) | undefined;

/** Those that were attached before and are still in use, by what attached them. */
const attached = new Map<string, WeakRef<Shared>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (attached.get(key)?.deref() === undefined) attached.delete(key);
});

/** Tells this floor of the classes, which are built on it. */
export function tellClasses(
  all: readonly { readonly prototype: object }[],
  attach: (handle: AnyHandle) => object,
): void {
  for (const { prototype } of all) Object.defineProperty(prototype, sharedBrand, { value: true });
  attachTo = attach;
}

/** A shared object's handle as it is stored: JSON, in ASCII. */
export function handleText(shared: object): string {
  return JSON.stringify((shared as Shared).toJSON()).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** @throws CorruptError it is none. */
export function parseHandle(text: string): AnyHandle {
  try {
    const handle = JSON.parse(text) as Partial<AnyHandle> | null;
    if (typeof handle?.shmkit === 'string' && typeof handle.name === 'string') {
      return handle as AnyHandle;
    }
  } catch {
    // As any other text that is none.
  }
  throw new CorruptError('a value of it is no handle');
}

/**
 * The object that a handle stands for, attached. As long as it is in use here and open, it is the
 * same one for the same handle.
 */
export function attachShared(handle: AnyHandle): object {
  const key = JSON.stringify(handle);
  const known = attached.get(key)?.deref();
  if (known && !known.closed) return known;
  if (attachTo === undefined) throw new Error('no classes to attach');
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

/** What is said of a shared object that a value holds: nobody is to make it. */
function explainWithin(error: unknown, { shmkit: kind, name }: AnyHandle): unknown {
  // A manager says itself whether it is gone or dead.
  if (hasCode(error, 'ENOENT') && kind !== 'manager') {
    const { syscall, errno } = error;
    const message = `${kind} '${name}' is gone: nothing has that name any more`;
    return new SharedMemoryError('ENOENT', message, {
      ...(syscall !== undefined && { syscall }),
      ...(errno !== undefined && { errno }),
      resource: name,
    });
  }
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_OUT_OF_RANGE') {
    const message = `a value of it holds a shared object of kind '${kind}', of which this version does not know`;
    return new MismatchError(message, { cause: error });
  }
  if (code === 'ERR_INVALID_ARG_TYPE') {
    return new CorruptError('a value of it is no handle', { cause: error });
  }
  return error;
}
