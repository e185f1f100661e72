// objects <attach | attach-value | create | trip> <shared | sent> <count>: immutable objects of 64 MiB. `trip`: a new array
// goes to a child, which sums it up. Prints nanoseconds for one operation; for `trip` the median.
import { SharedObject } from 'shmkit';
import { median } from 'simple-statistics';
import type { ChildProcess } from 'node:child_process';
import { ask, ended, expect, forkChild, nameOf, now, perOperation, report } from '../support';

const length = (64 << 20) / Float64Array.BYTES_PER_ELEMENT;
const name = nameOf('object');

/** Another process holds the object, because a process maps an object only once. */
async function attachments(count: number, withValue: boolean): Promise<number> {
  const holder = forkChild('memory/objects-other');
  await ask(holder, { hold: name, length });
  const figure = perOperation(count, (times) => {
    for (let i = 0; i < times; i++) {
      const object = SharedObject.attach<Float64Array>(name);
      if (withValue && object.value.length !== length) throw new Error('cut short');
      object.close();
    }
  });
  holder.disconnect();
  await ended(holder);
  return figure;
}

function creations(count: number): number {
  const from = new Float64Array(length).fill(1);
  return perOperation(count, (times) => {
    for (let i = 0; i < times; i++) SharedObject.create({ name, from }).close();
  });
}

async function trips(way: string, count: number): Promise<number> {
  const child = forkChild('memory/objects-other');
  const spans: number[] = [];
  for (let round = 0; round <= count; round++) {
    const numbers = new Float64Array(length).fill(round);
    const start = now();
    const sum = await (way === 'shared' ? shared(child, numbers) : ask<number>(child, { numbers }));
    if (round > 0) spans.push(Number(now() - start));
    expect('the sum', sum, round * length);
  }
  child.disconnect();
  await ended(child);
  return median(spans);
}

async function shared(child: ChildProcess, from: Float64Array): Promise<number> {
  const object = SharedObject.create({ from });
  const sum = await ask<number>(child, { object: object.toJSON() });
  object.close();
  return sum;
}

async function main([what, way = '', times]: string[]): Promise<void> {
  const count = Number(times);
  if (what === 'create') report(creations(count));
  else if (what === 'trip') report(await trips(way, count));
  else report(await attachments(count, what === 'attach-value'));
}

void main(process.argv.slice(2));
