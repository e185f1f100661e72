// The classes of shared objects, by kind. They are on higher floors (layers of the code), and most of them are in parts
// of the library that are evaluated only when somebody needs them: see loading/parts.ts.
import { evaluate, isInterrupted } from '../../loading/parts';
import { sharedBrand, type AnyHandle } from '../../common/handles';
import { classNames, kinds, type Kind } from './names';

/** The kinds of handles: those of objects, and a list in Python's format, which is stored in a plain segment. */
export type HandleKind = Kind | 'shareable-list';

export const handleKinds: readonly HandleKind[] = [...kinds, 'shareable-list'];

/** What all of these classes have in common. */
export interface SharedClass {
  readonly prototype: object;
  attach(name: string): { close(): void };
  unlink(name: string): void;
}

/** A class whose objects are opened by name: whoever comes first makes the object. */
export interface OpenedClass extends SharedClass {
  open(name: string, options: never): { close(): void };
}

interface Told {
  readonly type: SharedClass;
  readonly attach: (handle: AnyHandle) => object;
}

const classes = new Map<string, Told>();

/**
 * Registers the class of a kind. Called when the class is evaluated.
 *
 * @param attach - attaches to the object of a handle, if that takes more than its name.
 */
export function tellClass(
  kind: HandleKind,
  type: SharedClass,
  attach: (handle: never) => object = ({ name }: AnyHandle) => type.attach(name),
): void {
  Object.defineProperty(type.prototype, sharedBrand, { value: true });
  classes.set(kind, { type, attach: attach as Told['attach'] });
}

/** The class of a kind. Its part of the library is evaluated if it was not yet. */
export function classOf(kind: HandleKind): SharedClass {
  return toldOf(kind).type;
}

/** The function that attaches to objects of a kind by their handles. */
export function attacherOf(kind: HandleKind): (handle: AnyHandle) => object {
  return toldOf(kind).attach;
}

/** Makes sure that the class of a kind is evaluated, and everything that it registers. */
export function needClass(kind: HandleKind): void {
  toldOf(kind);
}

function toldOf(kind: HandleKind): Told {
  const name = kind === 'shareable-list' ? 'ShareableList' : classNames[kind];
  if (!classes.has(kind) || isInterrupted()) evaluate(name);
  const told = classes.get(kind);
  if (told === undefined) throw new Error(`nothing has evaluated ${name}`);
  return told;
}
