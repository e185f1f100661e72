import { invalidType, outOfRange } from './errors';

/** How long a blocking call may wait. */
export interface TimeoutOptions {
  /**
   * Milliseconds to wait at most; 0 does not wait at all. Without it, or with `Infinity`, the wait
   * has no end.
   */
  readonly timeout?: number;
}

/** How long an asynchronous call may wait, and what may call it off. */
export interface WaitOptions extends TimeoutOptions {
  /** Aborting it rejects the promise with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The permission bits that objects have unless told otherwise: their owner alone. */
export const defaultMode = 0o600;

export function checkOptions(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidType('options', 'an object', options);
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw Object.assign(
        new TypeError(
          `unknown option '${key}'; there are ${known.map((k) => `'${k}'`).join(', ')}`,
        ),
        { code: 'ERR_INVALID_ARG_VALUE' },
      );
    }
  }
}

export function checkInteger(what: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw invalidType(what, 'a number', value);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(what, `an integer from ${least} to ${most}`, value);
  }
  return value;
}

export function checkMode(mode: unknown = defaultMode): number {
  return checkInteger('mode', mode, 0, 0o777);
}

export function checkBoolean(what: string, value: unknown = false): boolean {
  if (typeof value !== 'boolean') throw invalidType(what, 'a boolean', value);
  return value;
}

/** Milliseconds, or `undefined` for a wait without end. */
export function checkTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined) return undefined;
  if (typeof timeout !== 'number') throw invalidType('timeout', 'a number', timeout);
  if (Number.isNaN(timeout) || timeout < 0) {
    throw outOfRange('timeout', 'milliseconds, 0 or more', timeout);
  }
  return timeout === Infinity ? undefined : timeout;
}

/** By what it can do: each realm, and each implementation, has a class of its own. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}

/** Why a signal was aborted; not every implementation says so. */
export function reasonOf(signal: AbortSignal): unknown {
  const reason: unknown = signal.reason;
  return reason === undefined
    ? new DOMException('This operation was aborted', 'AbortError')
    : reason;
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw reasonOf(signal);
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw invalidType('signal', 'an AbortSignal', signal);
}

/** How long to wait, from the options of a blocking call. */
export function timeoutOf(options: TimeoutOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  checkOptions(options, ['timeout']);
  return checkTimeout(options.timeout);
}

/** How long to wait and what calls it off, from the options of an asynchronous call. */
export function waitOf(options: WaitOptions | undefined): {
  timeout: number | undefined;
  signal: AbortSignal | undefined;
} {
  if (options === undefined) return { timeout: undefined, signal: undefined };
  checkOptions(options, ['timeout', 'signal']);
  return { timeout: checkTimeout(options.timeout), signal: checkSignal(options.signal) };
}
