// What each of the four processes of barrier.ts does.
import { NamedBarrier, SharedMemory } from 'shmkit';
import { nameOf } from '../support';

export const processes = 4;

/** The barrier, and the memory in which each process says in how many rounds it has arrived. */
export function openMeeting() {
  const barrier = NamedBarrier.open(nameOf('barrier'), { parties: processes });
  const memory = SharedMemory.open(nameOf('came'), { size: 64 * processes });
  return { barrier, memory };
}

/** The element of the shared memory that belongs to a process, on a cache line of its own. */
export function cameOf(memory: SharedMemory, process: number): Int32Array {
  return memory.array('int32', 64 * process, 1);
}

export async function attend(
  way: string,
  barrier: NamedBarrier,
  came: Int32Array,
  rounds: number,
): Promise<void> {
  if (way === 'waitSync') {
    for (let i = 0; i < rounds; i++) {
      came[0]!++;
      barrier.waitSync();
    }
  } else {
    for (let i = 0; i < rounds; i++) {
      came[0]!++;
      await barrier.wait();
    }
  }
}
