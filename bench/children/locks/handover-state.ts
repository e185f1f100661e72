import { SharedMemory } from 'shmkit';
import { nameOf } from '../support';

export const lockName = nameOf('handover-lock');
export const memoryName = nameOf('handover-memory');
export const memoryBytes = 4096;

/** Whose turn it is: the holder continues at idle and awaited, the waiter at held. */
export const phases = { idle: 0, held: 1, awaited: 2, taken: 3 } as const;

/**
 * How many handovers come first and are not counted, because the compiler has not optimised the code yet.
 */
export const uncounted = 50;

/** The words by which the two processes communicate. */
export function stateOf(memory: SharedMemory) {
  return {
    phase: memory.array('int32', 0, 1),
    /** When the holder was about to release. */
    released: memory.array('int64', 64, 1),
  };
}
