// A child process or a worker thread that sums up the numbers that it gets.
import { attach, type SharedObjectHandle } from 'shmkit';
import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { sum, type Numbers } from './sum';

/** One of these. */
export interface Message {
  readonly object?: SharedObjectHandle<Numbers>;
  readonly numbers?: Numbers;
  readonly file?: string;
}

function sumOf({ object, numbers, file }: Message): number {
  if (object !== undefined) {
    const attached = attach(object);
    const all = sum(attached.value);
    attached.close();
    return all;
  }
  if (file !== undefined) {
    const bytes = readFileSync(file);
    return sum(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8));
  }
  return sum(numbers ?? []);
}

if (parentPort === null) process.on('message', (message: Message) => process.send!(sumOf(message)));
else parentPort.on('message', (message: Message) => parentPort!.postMessage(sumOf(message)));
