import { NamedLock, SharedMemory, SharedValue } from 'shmkit';
import { nameOf } from '../support';

export const memoryName = nameOf('increments-memory');
export const memoryBytes = 4096;
export const processes = 4;

/** The state by which the processes coordinate. Each field has its own cache lines. */
export function stateOf(memory: SharedMemory) {
  return {
    /** How many processes are ready. */
    ready: memory.array('int32', 64, 1),
    /** The time at which they begin. 0 while it is not decided. */
    begin: memory.array('int64', 128, 1),
    starts: memory.array('int64', 192, processes),
    ends: memory.array('int64', 256, processes),
  };
}

/** A counter that the processes increment. */
export interface Counter extends Disposable {
  readonly total: number;
  /** Adds 1 the given number of times. */
  count(times: number): void;
  unlink(): void;
}

/** A number with its own lock. */
function openLocked(name: string): Counter {
  const memory = SharedMemory.open(name, { size: 4 });
  const lock = NamedLock.open(name);
  const number = memory.array('int32', 0, 1);
  const all = [lock, memory];
  return {
    get total() {
      return number[0]!;
    },
    count: (times) => {
      for (let i = 0; i < times; i++) {
        const guard = lock.acquireSync();
        number[0]!++;
        guard.release();
      }
    },
    unlink: () => all.forEach((object) => object.unlink()),
    [Symbol.dispose]: () => all.forEach((object) => object.close()),
  };
}

function openValue(name: string, increment: (value: SharedValue<'int32'>) => void): Counter {
  const value = SharedValue.open(name, { type: 'int32' });
  return {
    get total() {
      return value.value;
    },
    count: (times) => {
      for (let i = 0; i < times; i++) increment(value);
    },
    unlink: () => value.unlink(),
    [Symbol.dispose]: () => value.close(),
  };
}

const increased = (before: number) => before + 1;

/** The ways to count. */
export const counters: Readonly<Record<string, (name: string) => Counter>> = {
  lock: openLocked,
  add: (name) => openValue(name, (value) => value.add(1)),
  update: (name) => openValue(name, (value) => value.update(increased)),
};
