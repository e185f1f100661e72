// The other process of handover.ts: takes the lock, waits until it has a waiter, releases the lock.
import { NamedLock, SharedMemory } from 'shmkit';
import { lockName, memoryName, phases, stateOf } from './handover-state';
import { now, sleep } from '../support';

const [count] = process.argv.slice(2);
using memory = SharedMemory.attach(memoryName);
using lock = NamedLock.attach(lockName);
const { phase, released } = stateOf(memory);

function awaitPhase(wanted: number): void {
  while (Atomics.load(phase, 0) !== wanted) sleep(0.2);
}

/** Runs first, so that the compiler can optimise the code. */
function warmUp(): void {
  for (let i = 0; i < 20_000; i++) {
    const guard = lock.acquireSync();
    released[0] = now();
    guard.release();
  }
}

warmUp();
for (let i = 0; i < Number(count); i++) {
  awaitPhase(phases.idle);
  const guard = lock.acquireSync();
  Atomics.store(phase, 0, phases.held);
  awaitPhase(phases.awaited);
  sleep(2); // by then the other process sleeps
  released[0] = now();
  guard.release();
  awaitPhase(phases.taken);
  Atomics.store(phase, 0, phases.idle);
}
process.disconnect();
