/**
 * Handles: shared objects in plain-data form.
 *
 * All channels between threads and processes copy an object's own enumerable properties with string keys.
 * This is true for the structured clone algorithm (messages and data of workers, BroadcastChannel, the
 * advanced serialization of child processes), and for code that spreads or enumerates objects. So the own
 * properties of every shared object are those of its plain-data form. Everything else is private, or belongs
 * to its class.
 */

/**
 * A key for the compiler only. In the type of a handle it stands for the type of the object's contents. It
 * does not exist at run time.
 */
export declare const contentType: unique symbol;

/** Makes the type of an object's contents a part of the type of its handle. */
export interface Typed<T> {
  /** For the compiler only. */
  readonly [contentType]?: () => T;
}

/** Defines the properties of the plain-data form on an object. They cannot be assigned. */
export function showHandle(object: object, handle: object): void {
  for (const [key, value] of Object.entries(handle)) {
    Object.defineProperty(object, key, { value, enumerable: true });
  }
}
