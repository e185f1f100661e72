import { types } from 'node:util';
import { invalidType } from './errors';

/**
 * The result type of a function that must do all its work before it returns. The library calls such a function
 * while a lock is held, or in the middle of a change. If the function returned a promise or a generator, its work
 * would go on after the lock is released or the change is made.
 */
export type NotAPromise<T> = T extends
  | PromiseLike<unknown>
  | Generator<unknown, unknown, never>
  | AsyncGenerator<unknown, unknown, never>
  ? never
  : T;

type Callback = (...args: never[]) => unknown;

const generators = new Set<unknown>(['GeneratorFunction', 'AsyncGeneratorFunction']);

const runsNothing = 'it is a generator function, and calling it does not run its code';
const givesGenerator = 'it returned a generator, whose code would run only later';
const givesPromise = 'it returned a promise, which is not awaited';

/**
 * Rejects an argument that is not a function, or is a generator function. A caller that passes a generator
 * function wants its body to run, whether it is awaited or not, but calling it would not run the body.
 *
 * @param name - the name of the argument.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkCallback(name: string, fn: unknown): asserts fn is Callback {
  if (typeof fn !== 'function') throw invalidType(name, 'a function', fn);
  if (!isOrdinary(fn) && isGenerator(fn)) {
    throw refusal(`${name} must be an ordinary or async function`, runsNothing);
  }
}

/**
 * Rejects what {@link checkCallback} rejects, and also an async function: the function must do all its work before it
 * returns. This check comes before anything is done for the function and before it is called. So an async function
 * does not run at all, if it is recognized as one.
 *
 * @param must - the beginning of the message: what the function must do, and which method accepts an async function.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkSyncCallback(name: string, fn: unknown, must: string): asserts fn is Callback {
  if (typeof fn !== 'function') throw invalidType(name, 'a function', fn);
  if (isOrdinary(fn)) return;
  if (isGenerator(fn)) throw refusal(must, runsNothing);
  if (isAsync(fn)) throw refusal(must, 'it is async, and its promise would not be awaited');
  if (hasThen(fn, must)) {
    throw refusal(must, 'it has a then() method like a promise, and is not awaited');
  }
}

/**
 * Returns the result of a function that must do all its work before it returns. Throws if the result is a promise or
 * a generator. Must be called before the caller releases the lock or makes the change. So the caller cleans up as if
 * the function itself had thrown.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` the result is a promise or a generator, or has a `then` method
 * like a promise.
 */
export function atOnce<T>(result: T, must: string): T {
  if (typeof result === 'object' ? result !== null : typeof result === 'function') {
    refuseLater(result as object, must);
  }
  return result;
}

function refuseLater(result: object, must: string): void {
  if (hasThen(result, must) || types.isPromise(result)) {
    silence(result);
    throw refusal(must, givesPromise);
  }
  if ('next' in result && types.isGeneratorObject(result)) throw refusal(must, givesGenerator);
}

/**
 * Makes a later rejection of a promise count as handled. The caller gets an error anyway, and an unhandled rejection
 * would end the process in addition.
 */
function silence(result: object): void {
  if (!types.isPromise(result)) return;
  try {
    void Promise.prototype.then.call(result, undefined, () => undefined);
  } catch {
    // The promise has a `constructor` that is not a constructor. Its rejection stays as it is then.
  }
}

/**
 * Whether a value has a `then` method. Throws if reading `then` throws: such a value is not accepted, because
 * `await` could not use it either.
 */
function hasThen(value: object, must: string): boolean {
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch (cause) {
    throw refusal(must, 'its property then, or that of its result, cannot be read', cause);
  }
}

/**
 * Whether a function is certainly neither async nor a generator function. A fast check: two property reads are enough
 * for almost all ordinary functions. The prototypes of async functions and generator functions have a tag.
 */
function isOrdinary(fn: object): boolean {
  try {
    const looked = fn as { then?: unknown; [Symbol.toStringTag]?: unknown };
    return looked.then === undefined && looked[Symbol.toStringTag] === undefined;
  } catch {
    return false;
  }
}

/**
 * Whether a function is a generator function. This also recognizes bound functions and proxies, which have the
 * prototype of their target, and functions of other realms. A function that hides that it is a generator function
 * is judged by what it returns.
 */
function isGenerator(fn: object): boolean {
  return types.isGeneratorFunction(fn) || generators.has(tagOf(fn));
}

function isAsync(fn: object): boolean {
  return types.isAsyncFunction(fn) || tagOf(fn) === 'AsyncFunction';
}

function tagOf(fn: object): unknown {
  try {
    return (fn as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  } catch {
    return undefined;
  }
}

/** @param must - what the function must do, as the beginning of the message. */
function refusal(must: string, why: string, cause?: unknown): TypeError {
  const error = new TypeError(`${must}: ${why}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** What messages say about functions that compute a new value from an old one. */
export const changing = 'fn must compute the new value synchronously';
/** What messages say about functions that compute a missing value. */
export const computing = 'fn must be synchronous (use getOrSet() for async functions)';
