/**
 * `count++` on shared memory reads, adds and writes. What other processes write in between is lost. Under
 * the value's lock nothing is lost: four processes add one a thousand times each, and the result is 4000.
 *
 *     node -r ts-node/register examples/safe-increment.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SharedValue } from 'shmkit';

const workers = 4;
const times = 1000;

function work(name: string): void {
  using count = SharedValue.attach(name, { type: 'int32' });
  for (let i = 0; i < times; i++) {
    using _held = count.lock.acquireSync();
    count.value++;
  } // the lock is released here, at the end of each iteration
}

async function main(): Promise<void> {
  using count = SharedValue.create({ type: 'int32', value: 0 });
  const children: ChildProcess[] = [];
  try {
    for (let i = 0; i < workers; i++) children.push(fork(__filename, [count.name]));
    await Promise.all(children.map(success));
    console.log(`${workers} processes, ${times} increments each: ${count.value}`);
  } finally {
    for (const child of children) child.kill(); // processes that still run when another one has failed
    count.unlink();
  }
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

const [name] = process.argv.slice(2);
if (name === undefined) void main();
else work(name);
