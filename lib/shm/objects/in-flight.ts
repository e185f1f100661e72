import { native, type SegmentHandle } from '../core/binding';
import { isFailure } from '../core/failures';
import { systemName } from '../core/names';

/**
 * What this thread has handed over and closed, on systems where an object disappears with its last handle. It is kept
 * until somebody has taken it, without a hold.
 */
const kept = new Map<string, SegmentHandle>();

const size = new Float64Array(1);

/** Called before the last handle to an object is closed that somebody is to take over. */
export function keepUntilTaken(name: string): void {
  if (native.namesOutliveHandles || kept.has(name)) return;
  const handle = native.segmentAttach(systemName('object', name), false, size);
  // If it fails, the object has ended with its manager, or was unlinked.
  if (!isFailure(handle)) kept.set(name, handle);
}

/** Lets go of what was taken in the meantime. */
export function letTakenGo(isAwaited: (name: string) => boolean): void {
  for (const [name, handle] of kept) {
    if (isAwaited(name)) continue;
    kept.delete(name);
    native.segmentClose(handle, undefined);
  }
}
