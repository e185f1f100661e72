import { Disposition, native } from '../core/binding';
import { needClass } from '../core/classes';
import { LockSeat, isSeat } from '../core/lock-seat';
import { isFailure } from '../core/failures';
import { defaultMode } from '../../common/options';
import type { ObjectKind } from '../core/layout';
import { noContents } from '../core/object-seat';
import type { StructureState } from './structure-state';

const structureKinds: ReadonlySet<ObjectKind> = new Set(['dict', 'list', 'namespace', 'queue']);

const makers = new Map<ObjectKind, (seat: LockSeat) => StructureState>();

/** Registers how the state of a kind of structures is made. */
export function tellStates(kind: ObjectKind, make: (seat: LockSeat) => StructureState): void {
  makers.set(kind, make);
}

/** The class of a structure that others have made may not have been evaluated here. */
function makerOf(kind: ObjectKind) {
  if (structureKinds.has(kind)) needClass(kind);
  return makers.get(kind);
}

const none: ReadonlySet<string> = new Set();

/** Which structure is meant. */
export interface Which {
  readonly kind: ObjectKind;
  readonly name: string;
  /** The id of the object that the name must lead to; undefined for any. */
  readonly id?: string;
}

/**
 * Calls a function with the state of a structure. Returns `otherwise` if there is no such structure any more; undefined
 * if it cannot be used.
 */
export function withState<T>(
  { kind, name, id }: Which,
  otherwise: T,
  act: (state: StructureState, id: string) => T,
): T | undefined {
  const make = makerOf(kind);
  // Elsewhere, no structure stores values apart.
  if (make === undefined || native.place === undefined) return undefined;
  const seat = LockSeat.tryTake(kind, name, defaultMode, Disposition.Attach, noContents);
  if (!isSeat(seat)) return isFailure(seat) && seat.code === 'ENOENT' ? otherwise : undefined;
  try {
    const found = seat.id;
    if (id !== undefined && found !== id) return otherwise;
    return act(
      seat.state(() => make(seat)),
      found,
    );
  } catch {
    return undefined; // it is damaged, or others keep its lock
  } finally {
    seat.leave();
  }
}

/**
 * The handles of all values that a structure has stored apart. Empty if there is no such structure any more; undefined
 * if that cannot be known now.
 *
 * @param timeout - how long to wait for the changes of others, in milliseconds.
 */
export function apartIn(which: Which, timeout: number): ReadonlySet<string> | undefined {
  // Elsewhere, no structure stores values apart.
  if (native.place === undefined) return none;
  return withState(which, none, (state) => (state.outOfBand.mayHave ? state.apart(timeout) : none));
}
