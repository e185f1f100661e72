import { types } from 'node:util';
import { invalidType } from './errors';

/**
 * The result type of a function that is called at once, while what the function needs is there: a lock, or a
 * change that is not committed yet. A promise or a generator would stand for work that goes on after that is
 * over.
 */
export type NotAPromise<T> = T extends
  | PromiseLike<unknown>
  | Generator<unknown, unknown, never>
  | AsyncGenerator<unknown, unknown, never>
  ? never
  : T;

type Callback = (...args: never[]) => unknown;

const generators = new Set<unknown>(['GeneratorFunction', 'AsyncGeneratorFunction']);

const runsNothing = 'is a generator function, and to call it runs nothing';
const givesGenerator = 'returned a generator, which runs when this is over';
const givesPromise = 'returned a promise, and it is not awaited';

/**
 * Rejects an argument that is not a function, or is a generator function. A caller that passes a generator
 * function wants its body to run, whether it is awaited or not, but calling it would not run the body.
 *
 * @param name - the name of the argument.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkCallback(name: string, fn: unknown): asserts fn is Callback {
  if (typeof fn !== 'function') throw invalidType(name, 'a function', fn);
  if (!isOrdinary(fn) && isGenerator(fn)) throw refusal(name, runsNothing);
}

/**
 * The same for a function that is called at once and must not be async. This check comes before anything is
 * done for the function and before it is called. A function that is recognized as returning a promise does
 * not run at all.
 *
 * @param which - what the function is for the caller, and which method takes an async function instead.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkSyncCallback(
  name: string,
  fn: unknown,
  which: string,
): asserts fn is Callback {
  if (typeof fn !== 'function') throw invalidType(name, 'a function', fn);
  if (isOrdinary(fn)) return;
  if (isGenerator(fn)) throw refusal(which, runsNothing);
  if (isAsync(fn)) throw refusal(which, 'is async: its promise is not awaited');
  if (hasThen(fn, which)) throw refusal(which, 'has a then() as a promise, and is not awaited');
}

/**
 * Returns the result of such a function, unless the result is a promise or a generator. It is called while
 * what the function needs is still there. So the caller cleans up as after any other error.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` the result is a promise or a generator, or has a `then` method
 * like a promise.
 */
export function atOnce<T>(result: T, which: string): T {
  if (typeof result === 'object' ? result !== null : typeof result === 'function') {
    refuseLater(result as object, which);
  }
  return result;
}

function refuseLater(result: object, which: string): void {
  if (hasThen(result, which) || types.isPromise(result)) {
    silence(result);
    throw refusal(which, givesPromise);
  }
  if ('next' in result && types.isGeneratorObject(result)) throw refusal(which, givesGenerator);
}

/** The thrown error says it all. An unhandled rejection of the promise would end the process in addition. */
function silence(result: object): void {
  if (!types.isPromise(result)) return;
  try {
    void Promise.prototype.then.call(result, undefined, () => undefined);
  } catch {
    // The promise has a `constructor` that is not a constructor. Its rejection stays as it is then.
  }
}

/** If reading `then` throws, the value is rejected too: `await` could not use such a promise either. */
function hasThen(value: object, which: string): boolean {
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch (cause) {
    throw refusal(which, 'gave something whose then cannot be read', cause);
  }
}

/**
 * A fast check that accepts almost all ordinary functions with two property reads. The prototypes of async
 * functions and generator functions have a tag.
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
 * Also recognizes bound functions and proxies, which have the prototype of their target, and functions of
 * other realms. A function that hides that it is a generator function is judged by what it returns.
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

function refusal(which: string, what: string, cause?: unknown): TypeError {
  const error = new TypeError(`${which}, ${what}`, cause === undefined ? undefined : { cause });
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** How messages describe functions that compute a new value from an old one. */
export const changing = 'fn, which has to change the value at once';
/** How messages describe functions that compute a missing value. */
export const computing = 'fn, which getOrSet() takes if it is async';
