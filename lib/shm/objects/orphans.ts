import { Disposition, native } from '../core/binding';
import { LockSeat, isSeat } from '../core/lock-seat';
import { noContents } from '../core/object-seat';
import { SharedMemory } from '../core/shared-memory';
import { hasCode } from '../../common/errors';
import { defaultMode } from '../../common/options';
import { Holds } from './holds';

let isSwept = false;

/** Removes what processes that were killed have left, when this thread first makes an object. */
export function sweepOnce(): void {
  if (isSwept) return;
  isSwept = true;
  removeOrphans();
}

/** Calls a function that makes an object. If there is no memory for it, removes orphans and calls it again. */
export function withSweep<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!hasCode(error, 'ENOSPC') || removeOrphans() === 0) throw error;
  }
  return make();
}

/**
 * Removes the objects that nobody holds: all their holders were killed. Does nothing on systems that do not list
 * shared objects.
 *
 * @returns how many objects were removed.
 */
export function removeOrphans(): number {
  if (native.place === undefined) return 0;
  let removed = 0;
  for (const { kind, name } of SharedMemory.list()) {
    if (kind === 'object' && removeIfOrphan(name)) removed++;
  }
  return removed;
}

function removeIfOrphan(name: string): boolean {
  const seat = LockSeat.tryTake('object', name, defaultMode, Disposition.Attach, noContents);
  if (!isSeat(seat)) return false;
  try {
    return seat.state(() => new Holds(seat)).removeIfOrphan();
  } catch {
    return false; // it is damaged, or was removed in the meantime
  } finally {
    seat.leave();
  }
}
