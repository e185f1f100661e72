import { native } from './binding';
import { operand, operands } from './control';

// Time comes only from the addon. The clocks that a program has may be replaced (by the fake timers of test
// runners, before or after this library is loaded) or set.
const { now: nativeNow, sinceBoot: nativeSinceBoot } = native;

/** The current time for waits of this process, in milliseconds since some fixed moment. */
export function now(): number {
  nativeNow();
  return operands[operand.time] ?? 0;
}

/**
 * Milliseconds since the machine was started, including the time that it slept. It is the same in all
 * processes of the machine, so it may be stored in shared memory.
 */
export function sinceBoot(): number {
  nativeSinceBoot();
  return operands[operand.time] ?? 0;
}

/** The moment at which a wait of so many milliseconds is over; undefined for a wait without a time limit. */
export function deadlineOf(timeout: number | undefined): number | undefined {
  return timeout === undefined ? undefined : now() + timeout;
}

/** Milliseconds until a moment, at least 0; undefined when there is no such moment. */
export function remaining(deadline: number | undefined): number | undefined {
  return deadline === undefined ? undefined : Math.max(deadline - now(), 0);
}
