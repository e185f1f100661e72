import { NamedLock, type NamedLockHandle } from './core/named-lock';
import { SharedMemory, type SharedMemoryHandle } from './core/shared-memory';
import { ShareableList, type ShareableListHandle } from './data/shareable-list';
import { invalidType, outOfRange } from './errors';

/** A shared object as plain data: what each one's `toJSON()` gives. */
export type Handle = SharedMemoryHandle | NamedLockHandle | ShareableListHandle;

/** The class of the object that a handle stands for. */
export type Attached<H extends Handle> = H extends SharedMemoryHandle
  ? SharedMemory
  : H extends NamedLockHandle
    ? NamedLock
    : ShareableList;

/**
 * Attaches to the object that a handle stands for, however the handle came here: by
 * `process.send`, a worker's `workerData`, the environment, a file.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no handle; and what the class's own `attach` throws.
 */
export function attach<H extends Handle>(handle: H): Attached<H>;
export function attach(handle: Handle): SharedMemory | NamedLock | ShareableList {
  const given: unknown = handle;
  if (typeof given !== 'object' || given === null || !('shmkit' in given)) {
    throw invalidType('handle', "what a shared object's toJSON() gave", handle);
  }
  switch (handle.shmkit) {
    case 'memory':
      return SharedMemory.attach(handle.name, { readOnly: handle.readOnly ?? false });
    case 'lock':
      return NamedLock.attach(handle.name);
    case 'shareable-list':
      return ShareableList.fromHandle(handle);
    default:
      throw outOfRange(
        'handle.shmkit',
        "'memory', 'lock' or 'shareable-list'",
        (handle as Handle).shmkit,
      );
  }
}
