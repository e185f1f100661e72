/** What reads a property of one of the language's own objects. */
export type Getter = (this: unknown) => unknown;

/**
 * The getter that a prototype of the language's has for a property: called with an object, it tells what that
 * is, whatever properties of its own it has by that name, and of whatever realm it is.
 */
export function getter(prototype: object, key: PropertyKey): Getter {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with what it is asked of
  const get = Object.getOwnPropertyDescriptor(prototype, key)?.get;
  if (get === undefined) throw new TypeError(`no getter ${String(key)}`);
  return get;
}
