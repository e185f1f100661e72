/** A function that reads a property of one of JavaScript's built-in objects. */
export type Getter = (this: unknown) => unknown;

/**
 * The getter that a built-in prototype has for a property. Calling it with an object returns the built-in
 * value, even if the object has an own property with that name, and whatever realm the object is from.
 */
export function getter(prototype: object, key: PropertyKey): Getter {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with what it is asked of
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  if (get === undefined) throw new TypeError(`no getter ${String(key)}`);
  return get;
}
