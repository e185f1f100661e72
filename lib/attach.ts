import { NamedLock, type NamedLockHandle } from './core/named-lock';
import { SharedMemory, type SharedMemoryHandle } from './core/shared-memory';
import { invalidType, outOfRange } from './errors';

/** A shared object as plain data: what each one's `toJSON()` gives. */
export type Handle = SharedMemoryHandle | NamedLockHandle;

/** The class of the object that a handle stands for. */
export type Attached<H extends Handle> = H extends SharedMemoryHandle ? SharedMemory : NamedLock;

/**
 * Attaches to the object that a handle stands for, however the handle came here: by
 * `process.send`, a worker's `workerData`, the environment, a file.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` it is no handle; and what the class's own `attach` throws.
 */
export function attach<H extends Handle>(handle: H): Attached<H>;
export function attach(handle: Handle): SharedMemory | NamedLock {
  const given: unknown = handle;
  if (typeof given !== 'object' || given === null || !('shmkit' in given)) {
    throw invalidType('handle', "what a shared object's toJSON() gave", handle);
  }
  switch (handle.shmkit) {
    case 'memory':
      return SharedMemory.attach(handle.name, { readOnly: handle.readOnly ?? false });
    case 'lock':
      return NamedLock.attach(handle.name);
    default:
      throw outOfRange('handle.shmkit', "'memory' or 'lock'", (handle as Handle).shmkit);
  }
}
