import { SharedMemory } from 'shmkit';
import { nameOf } from '../support';

export const lockName = nameOf('handover-lock');
export const memoryName = nameOf('handover-memory');
export const memoryBytes = 4096;

/** Whose turn it is: the holder goes on at idle and awaited, the waiter at held. */
export const phases = { idle: 0, held: 1, awaited: 2, taken: 3 } as const;

/** How many handovers come first and are not counted: the code is new to the compiler. */
export const uncounted = 50;

/** What the two processes tell each other. */
export function stateOf(memory: SharedMemory) {
  return {
    phase: memory.array('int32', 0, 1),
    /** When the holder was about to release. */
    released: memory.array('int64', 64, 1),
  };
}
