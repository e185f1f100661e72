import { fork, type ChildProcess, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/**
 * A name that is the same for the same suffix in a program and in the programs that it forks, but in no
 * other.
 */
export function nameOf(suffix: string): string {
  return `${process.env.SHMKIT_BENCH_PREFIX ?? 'shmkit-bench-0'}-${suffix}`;
}

/** CLOCK_MONOTONIC on Linux, as baseline.c uses it: comparable between processes. */
export function now(): bigint {
  return process.hrtime.bigint();
}

export function report(nanoseconds: number): void {
  console.log(nanoseconds);
}

/** Throws if the work was not done, because then the result has no value. */
export function expect(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) {
    throw new Error(`${what}: ${String(found)} and not ${String(expected)}`);
  }
}

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread. */
export function sleep(ms: number): void {
  if (ms > 0) Atomics.wait(nobodyWakes, 0, 0, ms);
}

/** Polls asynchronously, for waits that are not timed. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** How many operations run first and are not timed, so that the compiler can optimise the code. */
export function warmUpOf(count: number): number {
  return Math.ceil(count / 10);
}

export function perOperation(count: number, repeat: (count: number) => void): number {
  repeat(warmUpOf(count));
  const start = now();
  repeat(count);
  return Number(now() - start) / count;
}

/** The same for elements. Each pass goes through all elements, with one call for each. */
export function perElement(count: number, length: number, pass: () => void): number {
  const perPass = perOperation(count / length, (passes) => {
    for (let i = 0; i < passes; i++) pass();
  });
  return perPass / length;
}

export async function perOperationAsync(
  count: number,
  repeat: (count: number) => Promise<void>,
): Promise<number> {
  await repeat(warmUpOf(count));
  const start = now();
  await repeat(count);
  return Number(now() - start) / count;
}

/**
 * Starts a program as a child of this one. Its stdout is discarded, because only this program prints the
 * sample.
 */
export function forkChild(child: string, ...args: (string | number)[]): ChildProcess {
  return fork(path.join(__dirname, `${child}.js`), args.map(String), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  if (child.exitCode !== 0)
    throw new Error(`child ended with ${child.signalCode ?? child.exitCode ?? '?'}`);
}

/** Sends a message and waits for the answer. */
export async function ask<Answer>(child: ChildProcess, message: Serializable): Promise<Answer> {
  const answer = once(child, 'message');
  child.send(message);
  const [first] = (await answer) as [Answer];
  return first;
}
