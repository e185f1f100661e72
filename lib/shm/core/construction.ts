/**
 * Constructors that only the library may call. In TypeScript they are `private`; all other callers get an
 * error from here. Each of them takes an argument that only the library can make.
 */
import { illegalConstructor } from '../../common/errors';

/**
 * Throws if a constructor was called by a program.
 *
 * @param isOwn - whether the constructor was given something that only the library can make.
 * @param type - the class that was constructed: `new.target`.
 * @throws TypeError `ERR_ILLEGAL_CONSTRUCTOR`
 */
export function checkConstruction(isOwn: boolean, type: { readonly name: string }): void {
  if (isOwn) return;
  const known = publicClass(type);
  const methods = ['create', 'attach', 'open'].filter((method) => method in known);
  throw illegalConstructor(known.name, methods);
}

/** Returns the class itself if it is the library's, or the library's class that it extends. */
function publicClass(type: { readonly name: string }): { readonly name: string } {
  for (let at: object | null = type; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (Object.hasOwn(at, 'create')) return at as { readonly name: string };
  }
  return type;
}
