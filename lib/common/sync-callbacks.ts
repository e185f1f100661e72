import { types } from 'node:util';
import { invalidType } from './errors';

/**
 * What a function returns that is called at once, with what it needs: a lock, a change that is not yet
 * made. A promise, or a generator, would be of work that goes on when that is over.
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
 * Refuses what is no function, or a generator function: whoever passes one means its body to run, be it
 * awaited or not.
 *
 * @param name - of the argument.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`
 */
export function checkCallback(name: string, fn: unknown): asserts fn is Callback {
  if (typeof fn !== 'function') throw invalidType(name, 'a function', fn);
  if (!isOrdinary(fn) && isGenerator(fn)) throw refusal(name, runsNothing);
}

/**
 * The same for a function that is called at once, and may not be async. Asked before anything is done for it,
 * and before it is called: what can be seen to return a promise does not run at all.
 *
 * @param which - what the function is to the caller, and what takes an async one instead.
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
 * What such a function returned, unless that is a promise or a generator. Called while what the function needs
 * is there, so that whoever called it gives that back as after any other error.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` it is one of them, or has a `then` as a promise.
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

/** The refusal says it all; a rejection that nobody can handle would end the process besides. */
function silence(result: object): void {
  if (!types.isPromise(result)) return;
  try {
    void Promise.prototype.then.call(result, undefined, () => undefined);
  } catch {
    // A constructor that is no constructor: the rejection stays as it is.
  }
}

/** A `then` that cannot be read is taken for one: no promise could be awaited by it either. */
function hasThen(value: object, which: string): boolean {
  try {
    return typeof (value as { then?: unknown }).then === 'function';
  } catch (cause) {
    throw refusal(which, 'gave something whose then cannot be read', cause);
  }
}

/** By the least looks that clear all but a few: prototypes of async functions and generators have a tag. */
function isOrdinary(fn: object): boolean {
  try {
    const looked = fn as { then?: unknown; [Symbol.toStringTag]?: unknown };
    return looked.then === undefined && looked[Symbol.toStringTag] === undefined;
  } catch {
    return false;
  }
}

/**
 * Also of what is bound or a proxy, which has the prototype of what it calls, and of other realms. What hides
 * it is judged by what it returns.
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

/** What is told of functions that make a new value of an old one. */
export const changing = 'fn, which has to change the value at once';
/** The same of those that compute a value. */
export const computing = 'fn, which getOrSet() takes if it is async';
