import { expect } from 'vitest';

/** Node's own codes, for errors that are not a SharedMemoryError. */
const misuses = ['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE'];

/**
 * Expects a rejection with that code, whose message contains the given strings. Each engine has a copy of the class of
 * errors, so it is recognized by its name.
 */
export async function expectRejection(
  promise: Promise<unknown>,
  code: string,
  ...said: string[]
): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason as NodeJS.ErrnoException,
  );
  expect(error, `an error with the code ${code}`).toBeDefined();
  expect(error?.code, error?.stack).toBe(code);
  if (!misuses.includes(code)) expect(error?.name).toBe('SharedMemoryError');
  for (const part of said) expect(error?.message).toContain(part);
}
