// round-trips <shared | sent> <changed | unchanged> <count>: a 64 MiB array of doubles goes to a child and
// back. The child may add 1 to every element. Prints the median of the trips. One more trip at first is not
// counted.
import { SharedMemory, type SharedMemoryHandle } from 'shmkit';
import { median } from 'simple-statistics';
import type { ChildProcess } from 'node:child_process';
import { ask, ended, forkChild, nameOf, now, report } from '../support';

const size = 64 << 20;

/** Sends the array to the child, and resolves with the array that is then visible here. */
type Trip = (child: ChildProcess) => Promise<Float64Array>;

function sharedTrip(memory: SharedMemory): Trip {
  const array = memory.array('float64');
  return async (child) => {
    const handle: SharedMemoryHandle = memory.toJSON();
    await ask(child, { ...handle });
    return array;
  };
}

function sentTrip(): Trip {
  let array = new Float64Array(size / Float64Array.BYTES_PER_ELEMENT);
  return async (child) => (array = await ask<typeof array>(child, array));
}

async function measure(trip: Trip, change: string, count: number): Promise<number> {
  const child = forkChild('structures/round-trips-child', change);
  await ask(child, 'ready?');
  const spans: number[] = [];
  for (let round = 0; round <= count; round++) {
    const start = now();
    const array = await trip(child);
    const span = Number(now() - start);
    const expected = change === 'changed' ? round + 1 : 0;
    if (array[0] !== expected || array.at(-1) !== expected) {
      throw new Error(`expected ${expected}, and the array ends in ${array.at(-1) ?? 'nothing'}`);
    }
    if (round > 0) spans.push(span);
  }
  child.disconnect();
  await ended(child);
  return median(spans);
}

async function main([way, change = '', count]: string[]): Promise<void> {
  if (way === 'sent') {
    report(await measure(sentTrip(), change, Number(count)));
    return;
  }
  using memory = SharedMemory.create({ name: nameOf('trip'), size });
  try {
    report(await measure(sharedTrip(memory), change, Number(count)));
  } finally {
    memory.unlink();
  }
}

void main(process.argv.slice(2));
