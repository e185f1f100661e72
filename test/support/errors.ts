import { expect } from 'vitest';
import { SharedMemoryError } from 'shmkit';

/** Node's own codes, for errors that are not a SharedMemoryError. */
const misuses = [
  'ERR_ILLEGAL_CONSTRUCTOR',
  'ERR_INVALID_ARG_TYPE',
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
];

/** Expects an error with that code, whose message contains the given strings and patterns. */
export function expectCode(act: () => unknown, code: string, ...said: (string | RegExp)[]): void {
  let error: unknown;
  try {
    act();
  } catch (caught) {
    error = caught;
  }
  check(error, code, said);
}

/** The same for a promise. */
export async function expectRejection(
  promise: Promise<unknown>,
  code: string,
  ...said: (string | RegExp)[]
): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  check(error, code, said);
}

function check(error: unknown, code: string, said: (string | RegExp)[]): void {
  expect(error, `an error with the code ${code}`).toBeInstanceOf(Error);
  expect((error as NodeJS.ErrnoException).code, (error as Error).message).toBe(code);
  if (!misuses.includes(code)) expect(error).toBeInstanceOf(SharedMemoryError);
  for (const part of said) expect((error as Error).message).toMatch(part);
}
