import { fork, type ChildProcess, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** The same for the same suffix in a program and those it forks, and nobody else's. */
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

const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread. */
export function sleep(ms: number): void {
  if (ms > 0) Atomics.wait(nobodyWakes, 0, 0, ms);
}

/** Polls asynchronously, for what is not timed. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A tenth of the work first, for the compiler to see what it is about. */
export function perOperation(count: number, repeat: (count: number) => void): number {
  repeat(Math.ceil(count / 10));
  const start = now();
  repeat(count);
  return Number(now() - start) / count;
}

export async function perOperationAsync(
  count: number,
  repeat: (count: number) => Promise<void>,
): Promise<number> {
  await repeat(Math.ceil(count / 10));
  const start = now();
  await repeat(count);
  return Number(now() - start) / count;
}

/** A program beside this one. What it prints on stdout goes nowhere: the sample is ours to print. */
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
