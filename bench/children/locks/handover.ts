// handover <acquire | acquireSync> <count>: the time from the release in another process to the moment when
// this process, which slept while it waited for the lock, continues with the lock. Prints the median.
import { NamedLock, SharedMemory } from 'shmkit';
import { median } from 'simple-statistics';
import { lockName, memoryBytes, memoryName, phases, stateOf, uncounted } from './handover-state';
import { ended, forkChild, now, report, until } from '../support';

/** Waits for the lock and resolves with the time at which it got it. */
type Wait = () => Promise<bigint>;

function waitFor(lock: NamedLock, way: string, announce: () => void): Wait {
  if (way === 'acquireSync') {
    return () => {
      announce();
      using _guard = lock.acquireSync();
      return Promise.resolve(now());
    };
  }
  return async () => {
    const granted = lock.acquire();
    announce();
    using _guard = await granted;
    return now();
  };
}

async function main([way = '', count]: string[]): Promise<void> {
  using memory = SharedMemory.create({ name: memoryName, size: memoryBytes });
  using lock = NamedLock.create({ name: lockName });
  try {
    const { phase, released } = stateOf(memory);
    const wait = waitFor(lock, way, () => Atomics.store(phase, 0, phases.awaited));
    const total = Number(count) + uncounted;
    const holder = forkChild('locks/handover-holder', total);
    const finished = ended(holder);
    const spans: number[] = [];
    while (spans.length < total) {
      await Promise.race([until(() => Atomics.load(phase, 0) === phases.held), finished]);
      const acquired = await wait();
      spans.push(Number(acquired - released[0]!));
      Atomics.store(phase, 0, phases.taken);
    }
    await finished;
    report(median(spans.slice(uncounted)));
  } finally {
    memory.unlink();
    lock.unlink();
  }
}

void main(process.argv.slice(2));
