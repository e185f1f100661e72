// increments <count>: four processes that each add 1 to one counter `count` times, each time under
// the lock. Prints the time from the first start to the last end for one increment of them all.
import { NamedLock, SharedMemory } from 'shmkit';
import { lockName, memoryBytes, memoryName, processes, stateOf } from './increments-state';
import { ended, forkChild, now, report, until } from './support';

async function main([count]: string[]): Promise<void> {
  using memory = SharedMemory.create({ name: memoryName, size: memoryBytes });
  using lock = NamedLock.create({ name: lockName });
  try {
    const { counter, ready, begin, starts, ends } = stateOf(memory);
    const children = Array.from({ length: processes }, (_, index) =>
      forkChild('increments-worker', index, count!),
    );
    const finished = Promise.all(children.map(ended));
    await Promise.race([until(() => Atomics.load(ready, 0) === processes), finished]);
    Atomics.store(begin, 0, now() + 20_000_000n);
    await finished;

    const total = Number(count) * processes;
    if (counter[0] !== total) throw new Error(`${total - counter[0]!} increments were lost`);
    const span = Math.max(...[...ends].map(Number)) - Math.min(...[...starts].map(Number));
    report(span / total);
  } finally {
    memory.unlink();
    lock.unlink();
  }
}

void main(process.argv.slice(2));
