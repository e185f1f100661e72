// One of the four processes of increments.ts.
import { NamedLock, SharedMemory } from 'shmkit';
import { lockName, memoryBytes, memoryName, stateOf } from './increments-state';
import { nameOf, now, sleep } from './support';

const [index, count] = process.argv.slice(2).map(Number) as [number, number];

function increment(lock: NamedLock, counter: Int32Array, times: number): void {
  for (let i = 0; i < times; i++) {
    const guard = lock.acquireSync();
    counter[0]!++;
    guard.release();
  }
}

/** With a lock and a counter of its own, for the compiler to see what it is about. */
function warmUp(): void {
  using memory = SharedMemory.create({ name: nameOf(`warm-memory-${index}`), size: memoryBytes });
  memory.unlink();
  using lock = NamedLock.create({ name: nameOf(`warm-lock-${index}`) });
  increment(lock, stateOf(memory).counter, count / 10);
  lock.unlink();
}

warmUp();
using memory = SharedMemory.attach(memoryName);
using lock = NamedLock.attach(lockName);
const { counter, ready, begin, starts, ends } = stateOf(memory);
Atomics.add(ready, 0, 1);
while (Atomics.load(begin, 0) === 0n) sleep(0.2);
sleep(Number(Atomics.load(begin, 0) - now()) / 1e6);

starts[index] = now();
increment(lock, counter, count);
ends[index] = now();
process.disconnect();
