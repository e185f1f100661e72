import { thread } from './binding';

/**
 * Words that both native code and JavaScript can access, so that the hottest calls need no arguments
 * (native/binding/lock.cc, seats.h).
 */
export const { control } = thread;

/**
 * The same memory as float64 elements, for arguments and results of native calls. `operand` contains their
 * indices: the offset of a number in an object (`at`), the number to add to it (`delta`), its value before the
 * addition (`before`), and a time (`time`).
 */
export const operands = new Float64Array(control.buffer);
export const operand = { at: 1, delta: 2, before: 3, time: 4 } as const;

/** What each of the control words contains. */
export const controlAt = {
  /** The seat that a hot call refers to. */
  seat: 0,
  /** JavaScript sets this to a number other than 0 to be called at the end of this turn of the event loop. */
  lookAtEnd: 10,
  /** How many foreign calls are running or were interrupted: see foreign.ts. */
  foreignCalls: 11,
  /** The number of the foreign call that began last. */
  lastForeignCall: 12,
} as const;
