// What the two processes of ping-pong.ts do, for each kind of object to wait for.
import { NamedCondition, NamedEvent, NamedSemaphore, SharedMemory } from 'shmkit';
import { nameOf } from '../support';

/** One half of a round trip. */
type Half = () => Promise<void> | void;

/** The two sides, and the objects that they use. */
export interface Sides {
  /** Wakes the other side, and waits to be woken. */
  readonly there: Half;
  /** Waits to be woken, and wakes the other side. */
  readonly back: Half;
  readonly shared: readonly { unlink(): void }[];
}

export async function repeat(half: Half, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const pending = half();
    if (pending !== undefined) await pending;
  }
}

/** The memory in which the second process says how often it has begun to wait. */
export function openTrips(): SharedMemory {
  return SharedMemory.open(nameOf('trips'), { size: 4 });
}

const names = { ping: nameOf('ping'), pong: nameOf('pong'), turn: nameOf('turn') };

function openEvents() {
  const ping = NamedEvent.open(names.ping);
  const pong = NamedEvent.open(names.pong);
  return { ping, pong, shared: [ping, pong] };
}

function openSemaphores() {
  const options = { value: 0 };
  const ping = NamedSemaphore.open(names.ping, options);
  const pong = NamedSemaphore.open(names.pong, options);
  return { ping, pong, shared: [ping, pong] };
}

function openCondition() {
  const condition = NamedCondition.open(names.ping);
  const memory = SharedMemory.open(names.turn, { size: 4 });
  const turn = memory.array('int32', 0, 1);
  const passTo = (whose: number) => {
    turn[0] = whose;
    condition.notify();
  };
  return {
    condition,
    isFirsts: () => turn[0] === 0,
    isSeconds: () => turn[0] === 1,
    passToFirst: () => passTo(0),
    passToSecond: () => passTo(1),
    shared: [condition, memory],
  };
}

export const ways: Readonly<Record<string, () => Sides>> = {
  event: () => {
    const { ping, pong, shared } = openEvents();
    return {
      there: () => {
        ping.set();
        pong.waitSync();
        pong.clear();
      },
      back: () => {
        ping.waitSync();
        ping.clear();
        pong.set();
      },
      shared,
    };
  },
  'event-async': () => {
    const { ping, pong, shared } = openEvents();
    return {
      there: async () => {
        ping.set();
        await pong.wait();
        pong.clear();
      },
      back: async () => {
        await ping.wait();
        ping.clear();
        pong.set();
      },
      shared,
    };
  },
  semaphore: () => {
    const { ping, pong, shared } = openSemaphores();
    return {
      there: () => {
        ping.release();
        pong.acquireSync();
      },
      back: () => {
        ping.acquireSync();
        pong.release();
      },
      shared,
    };
  },
  'semaphore-async': () => {
    const { ping, pong, shared } = openSemaphores();
    return {
      there: async () => {
        ping.release();
        await pong.acquire();
      },
      back: async () => {
        await ping.acquire();
        pong.release();
      },
      shared,
    };
  },
  condition: () => {
    const { condition, isFirsts, isSeconds, passToFirst, passToSecond, shared } = openCondition();
    return {
      there: () => {
        const guard = condition.lock.acquireSync();
        passToSecond();
        condition.waitForSync(isFirsts);
        guard.release();
      },
      back: () => {
        const guard = condition.lock.acquireSync();
        condition.waitForSync(isSeconds);
        passToFirst();
        guard.release();
      },
      shared,
    };
  },
  'condition-async': () => {
    const { condition, isFirsts, isSeconds, passToFirst, passToSecond, shared } = openCondition();
    return {
      there: async () => {
        const guard = await condition.lock.acquire();
        passToSecond();
        await condition.waitFor(isFirsts);
        guard.release();
      },
      back: async () => {
        const guard = await condition.lock.acquire();
        await condition.waitFor(isSeconds);
        passToFirst();
        guard.release();
      },
      shared,
    };
  },
};
