/**
 * Handles: shared objects as plain data.
 *
 * All channels between threads and processes copy an object's own enumerable properties of string
 * keys: the structured clone algorithm (workers' messages and data, BroadcastChannel, the advanced
 * serialization of child processes), and whatever spreads or enumerates objects. So these are the properties
 * of its handle in every shared object, and everything else that it has is private, or its class's.
 */

/** Stands in a handle for the type of what the object has in it. There is nothing at run time. */
export declare const contentType: unique symbol;

/** What makes the handle of an object part of its type what the object has in it. */
export interface Typed<T> {
  /** For the compiler alone. */
  readonly [contentType]?: () => T;
}

/** Gives an object the properties of its handle. They cannot be assigned. */
export function showHandle(object: object, handle: object): void {
  for (const [key, value] of Object.entries(handle)) {
    Object.defineProperty(object, key, { value, enumerable: true });
  }
}
