import { SharedMemory } from 'shmkit';
import { removeOrphans } from '../../lib/shm/objects/orphans';
import { keeperIdIn } from '../../lib/shm/objects/kept-names';
// These tell the copy of the library that the tests import how structures are read.
import '../../lib/shm/dict/shared-dict';
import '../../lib/shm/list/shared-list';
import '../../lib/shm/queue/shared-queue';

/** The names of all objects that structures keep. */
export function keptObjects(): string[] {
  return SharedMemory.list()
    .filter(({ kind, name }) => kind === 'object' && keeperIdIn(name) !== undefined)
    .map(({ name }) => name);
}

/** The same after what the dead have left was removed. */
export function keptAfterSweep(): string[] {
  removeOrphans();
  return keptObjects();
}
