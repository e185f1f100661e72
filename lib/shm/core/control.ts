import { thread } from './binding';

/**
 * Words that both native code and JavaScript can access, so that the hottest calls need no arguments
 * (native/binding/lock.cc, seats.h).
 */
export const { control } = thread;

/** The same words as float64: the offset, the number to add, the value before, and the time. */
export const operands = new Float64Array(control.buffer);
export const operand = { at: 1, delta: 2, before: 3, time: 4 } as const;

/** What each of the control words contains. */
export const controlAt = {
  /** The seat that a hot call refers to. */
  seat: 0,
  /** Not 0 while something must be done at the end of the turn of the event loop. */
  lookAtEnd: 10,
  /** How many foreign calls are running or were interrupted: see foreign.ts. */
  foreignCalls: 11,
  /** The number that the last of these calls was given. */
  lastForeignCall: 12,
} as const;
