/**
 * Constructors that are for the library alone. TypeScript keeps its users from them (`private`); all
 * others are told here. Each takes something that nobody else can make.
 */
import { illegalConstructor } from '../../common/errors';

/**
 * @param isOwn - whether a constructor was given what only the library makes.
 * @param type - what was constructed: `new.target`.
 * @throws TypeError `ERR_ILLEGAL_CONSTRUCTOR`
 */
export function checkConstruction(isOwn: boolean, type: { readonly name: string }): void {
  if (!isOwn) throw illegalConstructor(publicClass(type).name);
}

/** The library's class, if it is a program's own that extends it. */
function publicClass(type: { readonly name: string }): { readonly name: string } {
  for (let at: object | null = type; at !== null; at = Reflect.getPrototypeOf(at)) {
    if (Object.hasOwn(at, 'create')) return at as { readonly name: string };
  }
  return type;
}
