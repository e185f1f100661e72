/** The plain-data form of a shared object of any kind. */
export interface AnyHandle {
  readonly shmkit: string;
  readonly name: string;
}

/**
 * The property of the prototypes of shared objects by which they are recognized. It also works for objects of
 * another copy of the library, and of a copy that was evaluated in another realm.
 */
export const sharedBrand = Symbol.for('shmkit.handle');

let attacher: ((handle: AnyHandle) => object) | undefined;

/** Registers the function that attaches to a shared object. It is on a higher floor (layer of the code). */
export function tellAttach(given: (handle: AnyHandle) => object): void {
  attacher = given;
}

/** Attaches to the object that a handle stands for. */
export function attachTo(handle: AnyHandle): object {
  if (attacher === undefined) throw new Error('no classes to attach');
  return attacher(handle);
}
