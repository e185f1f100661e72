// What is true of every wait, whatever it waits for.
import { expect } from 'vitest';
import { expectRejection } from '../support/errors';
import { timed } from '../support/temporaries';

type Wait = (options: { timeout?: number; signal?: AbortSignal }) => Promise<unknown>;

/** Expects the wait to fail when its time is over, and no sooner. */
export async function expectTimeout(wait: Wait, timeout = 20): Promise<void> {
  const took = await timed(() => expectRejection(wait({ timeout }), 'ERR_TIMEOUT'));
  expect(took).toBeGreaterThanOrEqual(timeout);
}

/** Expects the wait to refuse options that make no sense. */
export async function expectRefusals(wait: Wait): Promise<void> {
  for (const [options, code, said] of [
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', 'timeout'],
    [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
    [{ signal: 1 }, 'ERR_INVALID_ARG_TYPE', 'signal'],
    [{ time: 1 }, 'ERR_INVALID_ARG_VALUE', 'time'],
  ] as const) {
    await expectRejection(wait(options as never), code, said);
  }
}
