import { native } from '../core/binding';
import { SharedMemory } from '../core/shared-memory';
import { hasCode } from '../../common/errors';
import { askOf } from './holds';

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
    if (kind === 'object' && askOf(name, (holds) => holds.removeIfOrphan())) removed++;
  }
  return removed;
}
