import { invalidType, outOfRange } from './errors';
import { unknownOption } from './misspelt';
import { shownObject } from './shown';

/** How long a blocking call may wait. */
export interface TimeoutOptions {
  /**
   * The maximum time to wait, in milliseconds. 0 does not wait at all. Without it, or with `Infinity`, the
   * wait has no time limit.
   */
  readonly timeout?: number | undefined;
}

/**
 * How long a change may wait for other changes of the same object. Each of those normally takes only a
 * moment.
 */
export interface ChangeOptions {
  /**
   * The maximum time to wait for changes that others make, in milliseconds. Only two things can make this
   * wait long: a function that was passed to `update`, or a process that was stopped in the middle of a
   * change. 0 does not wait at all. Without it, or with `Infinity`, the wait has no time limit.
   */
  readonly timeout?: number | undefined;
}

/** How long an asynchronous call may wait, and a signal that can abort the wait. */
export interface WaitOptions extends TimeoutOptions {
  /** When it aborts, the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The permission bits that objects have by default: access for their owner only. */
export const defaultMode = 0o600;

/**
 * Throws if an argument is not an object with options, or contains an unknown option.
 *
 * @param known - the names of the options.
 * @param needed - an example of the options that cannot be left out.
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

/** Whether an object without own properties was meant as options. A signal, a map or a promise was not. */
function mayBeOptions(options: object, known: readonly string[]): boolean {
  const prototype: unknown = Object.getPrototypeOf(options);
  // The prototype of all plain objects has no prototype itself, whatever realm it is from.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  // An iterable object has its own size or length.
  return !(Symbol.iterator in options) && known.some((option) => option in options);
}

function noOptions(given: unknown, known: readonly string[], needed?: object): TypeError {
  const example = { ...needed, ...guess(given, known) };
  const suchAs = Object.keys(example).length > 0 ? `, such as ${shownObject(example)}` : '';
  return invalidType('options', `an object${suchAs}`, given);
}

/** Options that the caller may have meant, by the type of the value that was passed instead of an object. */
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

/** Returns what the message says about an option that the function does not have but others do, if anything. */
function misplaced(key: string): string | undefined {
  if (key === 'name') return 'the name is the first argument';
  if (key === 'signal') {
    return 'a signal cannot reach a blocked thread; the asynchronous method accepts one';
  }
  return undefined;
}

/**
 * Returns the value if it is an integer in the range; throws otherwise.
 *
 * @param unit - the unit that the value is measured in, for the message.
 */
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

/** Checks a time limit. Returns the milliseconds, or `undefined` for a wait without a time limit. */
export function checkTimeout(timeout: unknown): number | undefined {
  if (timeout === undefined) return undefined;
  if (typeof timeout !== 'number') {
    throw invalidType('timeout', 'a number of milliseconds', timeout);
  }
  if (Number.isNaN(timeout) || timeout < 0) {
    throw outOfRange('timeout', 'a number of milliseconds, 0 or more', timeout);
  }
  return timeout === Infinity ? undefined : timeout;
}

/** Recognizes a signal by what it can do: each realm and each implementation has a class of its own. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}

/** Why a signal was aborted. Not every implementation provides a reason, so there is a default. */
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

/** The time limit, from the options of a blocking call. */
export function timeoutOf(options: TimeoutOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  checkOptions(options, ['timeout']);
  return checkTimeout(options.timeout);
}

/** The time limit and the signal, from the options of an asynchronous call. */
export function waitOf(options: WaitOptions | undefined): {
  timeout: number | undefined;
  signal: AbortSignal | undefined;
} {
  if (options === undefined) return { timeout: undefined, signal: undefined };
  checkOptions(options, ['timeout', 'signal']);
  return { timeout: checkTimeout(options.timeout), signal: checkSignal(options.signal) };
}
