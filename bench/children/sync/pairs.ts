// sync-pairs <semaphore | rlock | rwlock-read> <count>: acquired and released by one thread. No other
// thread wants the object.
import { NamedRLock, NamedRWLock, NamedSemaphore } from 'shmkit';
import { expect, nameOf, perOperation, report } from '../support';

type Acquire = () => { release(): void };

function measure(count: number, acquire: Acquire): number {
  return perOperation(count, (pairs) => {
    for (let i = 0; i < pairs; i++) acquire().release();
  });
}

const ways: Record<string, (name: string, count: number) => number> = {
  semaphore: (name, count) => {
    using semaphore = NamedSemaphore.create({ name, value: 1 });
    const nanoseconds = measure(count, () => semaphore.acquireSync());
    expect('permits', semaphore.value, 1);
    semaphore.unlink();
    return nanoseconds;
  },
  /** The lock is held the whole time: each iteration enters it again. */
  rlock: (name, count) => {
    using lock = NamedRLock.create({ name });
    const outer = lock.acquireSync();
    const nanoseconds = measure(count, () => lock.acquireSync());
    expect('depth', lock.depth, 1);
    outer.release();
    lock.unlink();
    return nanoseconds;
  },
  'rwlock-read': (name, count) => {
    using lock = NamedRWLock.create({ name });
    const nanoseconds = measure(count, () => lock.acquireReadSync());
    expect('readers', lock.readers, 0);
    lock.unlink();
    return nanoseconds;
  },
};

const [way = '', count] = process.argv.slice(2);
report(ways[way]!(nameOf('pairs'), Number(count)));
