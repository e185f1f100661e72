/**
 * A process hands an array to another process, which changes it in place. Only the name of the array is
 * sent. The numbers stay where they are, in memory that both processes can access.
 *
 *     node -r ts-node/register examples/array-handoff.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { attach, SharedArray, type SharedArrayHandle } from 'shmkit';

async function main(): Promise<void> {
  using numbers = SharedArray.create({ from: Int32Array.of(1, 2, 3, 4) });
  const child = fork(__filename, ['child']);
  try {
    child.send(numbers); // sent as plain data: the result of its toJSON()
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (code !== 0) throw new Error(`the child ended by ${signal ?? `code ${code}`}`);
    console.log(JSON.stringify([...numbers]));
  } finally {
    child.kill(); // if the failure was not the child's own
    numbers.unlink();
  }
}

async function work(): Promise<void> {
  const [handle] = (await once(process, 'message')) as [SharedArrayHandle<'int32'>];
  using numbers = attach(handle);
  for (let i = 0; i < numbers.length; i++) numbers.array[i]! += 10;
}

void (process.argv[2] === 'child' ? work() : main());
