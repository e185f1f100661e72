// increments <lock | add | update> <count>: four processes that each add 1 to one counter `count` times.
// Prints the time from the first start to the last end, per increment of all processes.
import { SharedMemory } from 'shmkit';
import { counters, memoryBytes, memoryName, processes, stateOf } from './increments-state';
import { ended, expect, forkChild, nameOf, now, report, until } from '../support';

async function main([way = '', count]: string[]): Promise<void> {
  using memory = SharedMemory.create({ name: memoryName, size: memoryBytes });
  using counter = counters[way]!(nameOf('counter'));
  try {
    const { ready, begin, starts, ends } = stateOf(memory);
    const children = Array.from({ length: processes }, (_, index) =>
      forkChild('locks/increments-worker', way, index, count!),
    );
    const finished = Promise.all(children.map(ended));
    await Promise.race([until(() => Atomics.load(ready, 0) === processes), finished]);
    Atomics.store(begin, 0, now() + 20_000_000n);
    await finished;

    const total = Number(count) * processes;
    expect('increments', counter.total, total);
    const span = Math.max(...[...ends].map(Number)) - Math.min(...[...starts].map(Number));
    report(span / total);
  } finally {
    memory.unlink();
    counter.unlink();
  }
}

void main(process.argv.slice(2));
