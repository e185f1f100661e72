import { invalidType, outOfRange } from './errors';
import { unknownOption } from './misspelt';
import { shownObject } from './shown';

/** How long a blocking call may wait. */
export interface TimeoutOptions {
  /**
   * Milliseconds to wait at most; 0 does not wait at all. Without it, or with `Infinity`, the wait
   * has no end.
   */
  readonly timeout?: number | undefined;
}

/** How long a change may wait for others of the same object, each of which is made in a moment. */
export interface ChangeOptions {
  /**
   * Milliseconds to wait at most for changes that others make. Only a function that somebody has given to
   * `update` can make that long, or a process that was stopped in the middle of a change. 0 does not wait
   * at all; without it, or with `Infinity`, the wait has no end.
   */
  readonly timeout?: number | undefined;
}

/** How long an asynchronous call may wait, and what may call it off. */
export interface WaitOptions extends TimeoutOptions {
  /** Aborting it rejects the promise with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The permission bits that objects have unless told otherwise: their owner alone. */
export const defaultMode = 0o600;

/**
 * @param known - their names.
 * @param needed - an example of those that cannot be left out.
 */
export function checkOptions(options: unknown, known: readonly string[], needed?: object): void {
  if (typeof options !== 'object' || options === null) throw noOptions(options, known, needed);
  const keys = Object.keys(options);
  if (keys.length === 0 && !mayBeOptions(options, known)) throw noOptions(options, known, needed);
  for (const key of keys) {
    if (known.includes(key)) continue;
    if (Array.isArray(options) || ArrayBuffer.isView(options)) {
      throw noOptions(options, known, needed);
    }
    throw unknownOption(key, known, misplaced(key));
  }
}

/** Whether an object without properties of its own was meant as options; a signal, map or promise was not. */
function mayBeOptions(options: object, known: readonly string[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(options);
  // That of all plain objects has none itself, whatever realm it is of.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  // What can be iterated has a size or length of its own.
  return !(Symbol.iterator in options) && known.some((option) => option in options);
}

function noOptions(given: unknown, known: readonly string[], needed?: object): TypeError {
  const example = { ...needed, ...guess(given, known) };
  const suchAs = Object.keys(example).length > 0 ? `, such as ${shownObject(example)}` : '';
  return invalidType('options', `an object${suchAs}`, given);
}

/** Options that may have been meant by what was given in place of an object, by its type. */
const meant: Partial<Record<string, readonly string[]>> = {
  number: ['parties', 'size', 'length', 'ttl', 'timeout', 'value', 'capacity'],
  string: ['name', 'type'],
  object: ['from'],
};

function guess(given: unknown, known: readonly string[]): object {
  if (given === null) return {};
  const candidates = isAbortSignal(given) ? ['signal'] : meant[typeof given];
  const option = candidates?.find((each) => known.includes(each));
  return option === undefined ? {} : { [option]: given };
}

/** What is said of options that belong elsewhere. */
function misplaced(key: string): string | undefined {
  if (key === 'name') return 'the name is the first argument';
  if (key === 'signal') return 'nothing reaches a thread that is blocked; the async verb takes one';
  return undefined;
}

/** @param unit - in which it is measured. */
export function checkInteger(
  what: string,
  value: unknown,
  least: number,
  most: number,
  unit?: string,
): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    const isAny = least === Number.MIN_SAFE_INTEGER;
    const range = `an integer${isAny ? '' : ` from ${least} to ${most}`}${unit ? ` (${unit})` : ''}`;
    throw (typeof value === 'number' ? outOfRange : invalidType)(what, range, value);
  }
  return value;
}

export function checkMode(mode: unknown = defaultMode): number {
  const isOne = typeof mode === 'number' && Number.isInteger(mode) && mode >= 0 && mode <= 0o777;
  if (isOne) return mode;
  const bits = 'permission bits from 0 to 0o777, such as 0o660';
  throw (typeof mode === 'number' ? outOfRange : invalidType)('mode', bits, mode);
}

export function checkBoolean(what: string, value: unknown = false): boolean {
  if (typeof value !== 'boolean') throw invalidType(what, 'a boolean', value);
  return value;
}

/** Milliseconds, or `undefined` for a wait without end. */
export function checkTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined) return undefined;
  if (typeof timeout !== 'number') {
    throw invalidType('timeout', 'a number of milliseconds', timeout);
  }
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
