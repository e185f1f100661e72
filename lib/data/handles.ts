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

/** Which classes there are, and how a handle becomes one: told by the floor that knows them. */
interface Classes {
  isShared(value: object): boolean;
  attach(handle: AnyHandle): object;
}

let classes: Classes | undefined;

/** Those that were attached before and are still in use, by what attached them. */
const attached = new Map<string, WeakRef<Shared>>();
const collected = new FinalizationRegistry<string>((key) => {
  if (attached.get(key)?.deref() === undefined) attached.delete(key);
});

/** Tells this floor, which the classes are built on, of the classes. */
export function tellClasses(all: Classes): void {
  classes = all;
}

/** Whether a value is one of the library's named objects. */
export function isShared(value: object): value is Shared {
  // Most objects are plain ones.
  if (Reflect.getPrototypeOf(value) === Object.prototype) return false;
  return classes?.isShared(value) === true;
}

/**
 * The object that a handle stands for, attached. As long as it is in use here and open, it is the
 * same one for the same handle.
 */
export function attachShared(handle: AnyHandle): object {
  const key = JSON.stringify(handle);
  const known = attached.get(key)?.deref();
  if (known && !known.closed) return known;
  if (classes === undefined) throw new Error('no classes to attach');
  const made = classes.attach(handle) as Shared;
  attached.set(key, new WeakRef(made));
  collected.register(made, key);
  return made;
}
