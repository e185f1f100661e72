import { native } from './binding';
import { operand, operands } from './control';

// Time comes from the addon alone. What a program has of it, others replace (fake timers of test
// runners, before or after this library is loaded) or set.
const { now: nativeNow, sinceBoot: nativeSinceBoot } = native;

/** What time it is for waits of this process, in milliseconds since some moment. */
export function now(): number {
  nativeNow();
  return operands[operand.time] ?? 0;
}

/**
 * Milliseconds since the machine was started, the time that it slept included: the same in all its
 * processes, so it may be left in shared memory.
 */
export function sinceBoot(): number {
  nativeSinceBoot();
  return operands[operand.time] ?? 0;
}

/** The moment at which a wait of so many milliseconds is over; undefined for one without end. */
export function deadlineOf(timeout: number | undefined): number | undefined {
  return timeout === undefined ? undefined : now() + timeout;
}

/** Milliseconds until a moment, at least 0; undefined for one that never comes. */
export function remaining(deadline: number | undefined): number | undefined {
  return deadline === undefined ? undefined : Math.max(deadline - now(), 0);
}
