import { SharedMemory } from 'shmkit';
import { nameOf } from './support';

export const lockName = nameOf('increments-lock');
export const memoryName = nameOf('increments-memory');
export const memoryBytes = 4096;
export const processes = 4;

/** What the processes share, each thing on cache lines of its own. */
export function stateOf(memory: SharedMemory) {
  return {
    /** What they count. */
    counter: memory.array('int32', 0, 1),
    /** How many stand ready. */
    ready: memory.array('int32', 64, 1),
    /** When they begin; 0 while that is not decided. */
    begin: memory.array('int64', 128, 1),
    starts: memory.array('int64', 192, processes),
    ends: memory.array('int64', 256, processes),
  };
}
