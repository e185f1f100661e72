import { types } from 'node:util';

/**
 * What a function returns that is called at once, with what it needs: a lock, a change that is not yet
 * made. A promise would be of work that goes on when that is over.
 */
export type NotAPromise<T> = T extends PromiseLike<unknown> ? never : T;

/**
 * What such a function returned, unless that is a promise. Called while what the function needs is there, so
 * that whoever called it gives that back as after any other error.
 *
 * @param which - what the function is to the caller, and what takes an async one instead.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` it is a promise, or has a `then` as one.
 */
export function notAPromise<T>(result: T, which: string): T {
  if (typeof result === 'object' && result !== null) refusePromise(result, which);
  return result;
}

function refusePromise(result: object, which: string): void {
  if (!('then' in result) || typeof result.then !== 'function') return;
  // This error says it all; a rejection that nobody can handle would end the process besides.
  if (types.isPromise(result)) result.catch(() => undefined);
  const what = `${which}, returned a promise, and it is not awaited`;
  throw Object.assign(new TypeError(what), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** What is told of functions that make a new value of an old one. */
export const changing = 'fn, which has to change the value at once';
