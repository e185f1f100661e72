import { thread } from './binding';

/**
 * Words that native code and this side both reach, so that the hottest calls take no arguments
 * (native/binding/lock.cc, seats.h).
 */
export const { control } = thread;

/** The same as float64: where, what to add, and what was there before; what time it is. */
export const operands = new Float64Array(control.buffer);
export const operand = { at: 1, delta: 2, before: 3, time: 4 } as const;

/** What stands in which of the control words. */
export const controlAt = {
  /** The seat that a hot call is about. */
  seat: 0,
  /** Not 0 while something is to be looked at when the turn of the event loop ends. */
  lookAtEnd: 10,
  /** How many calls of others' code are under way, or were interrupted: see foreign.ts. */
  foreignCalls: 11,
  /** The number that the last of them was given. */
  lastForeignCall: 12,
} as const;
