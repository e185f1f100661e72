// The clocks and timers of this engine. They are taken when the module is loaded, so that fake timers that a test
// installs later do not stop leases. This file is the only one of lib/redis that may use them.
import { hrtime } from 'node:process';
import * as timers from 'node:timers';

/** The longest delay that a timer of the runtime accepts. A longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1;

const { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: later } = timers;
const readWall = Date.now.bind(Date);
const readSteady = hrtime.bigint.bind(hrtime);

const nsPerMs = 1e6;

/** Milliseconds since a fixed moment. It is the same clock in all threads of a process. It stops in stand-by. */
export function steadyMs(): number {
  return Number(readSteady()) / nsPerMs;
}

/** Milliseconds of the wall clock. It goes on in stand-by, and an administrator can set it. */
export function wallMs(): number {
  return readWall();
}

/** A timer that was started. */
export interface Timer {
  stop(): void;
}

/**
 * Calls a function after a time of any length.
 *
 * @param keepsAlive - whether the process stays alive for it.
 */
export function after(ms: number, fn: () => void, keepsAlive = true): Timer {
  const end = steadyMs() + ms;
  let timer: NodeJS.Timeout;
  const start = (): void => {
    // A timer may fire up to a millisecond early, because it counts whole milliseconds.
    const left = Math.ceil(end - steadyMs());
    if (left <= 0) {
      fn();
      return;
    }
    timer = startTimer(start, Math.min(left, longestDelayMs));
    if (!keepsAlive) timer.unref();
  };
  timer = startTimer(start, Math.min(Math.max(Math.ceil(ms), 0), longestDelayMs));
  if (!keepsAlive) timer.unref();
  return { stop: () => stopTimer(timer) };
}

/** Resolves after that time. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => after(ms, resolve));
}

/** Calls a function after the event loop has read what its sockets have. */
export function afterReading(fn: () => void): void {
  later(fn);
}
