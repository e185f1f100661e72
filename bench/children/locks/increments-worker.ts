// One of the four processes of increments.ts.
import { SharedMemory } from 'shmkit';
import { counters, memoryName, stateOf } from './increments-state';
import { nameOf, now, sleep, warmUpOf } from '../support';

const [way = '', ...numbers] = process.argv.slice(2);
const [index, count] = numbers.map(Number) as [number, number];
const open = counters[way]!;

/** Runs first with a separate counter, so that the compiler can optimise the code. */
function warmUp(): void {
  using own = open(nameOf(`warm-${index}`));
  own.count(warmUpOf(count));
  own.unlink();
}

warmUp();
using memory = SharedMemory.attach(memoryName);
using counter = open(nameOf('counter'));
const { ready, begin, starts, ends } = stateOf(memory);
Atomics.add(ready, 0, 1);
while (Atomics.load(begin, 0) === 0n) sleep(0.2);
sleep(Number(Atomics.load(begin, 0) - now()) / 1e6);

starts[index] = now();
counter.count(count);
ends[index] = now();
process.disconnect();
