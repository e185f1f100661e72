// lock-pairs <acquireSync | runExclusiveSync | acquire> <count>: a lock that no other thread wants.
import { NamedLock } from 'shmkit';
import { nameOf, perOperation, perOperationAsync, report } from '../support';

async function measure(way: string, count: number, lock: NamedLock): Promise<number> {
  switch (way) {
    case 'acquireSync':
      return perOperation(count, (pairs) => {
        for (let i = 0; i < pairs; i++) {
          const guard = lock.acquireSync();
          guard.release();
        }
      });
    case 'runExclusiveSync': {
      const nothing = () => undefined;
      return perOperation(count, (pairs) => {
        for (let i = 0; i < pairs; i++) lock.runExclusiveSync(nothing);
      });
    }
    case 'acquire':
      return perOperationAsync(count, async (pairs) => {
        for (let i = 0; i < pairs; i++) {
          const guard = await lock.acquire();
          guard.release();
        }
      });
    default:
      throw new RangeError(`no such way: ${way}`);
  }
}

async function main([way = '', count]: string[]): Promise<void> {
  using lock = NamedLock.create({ name: nameOf('lock') });
  try {
    report(await measure(way, Number(count), lock));
  } finally {
    lock.unlink();
  }
}

void main(process.argv.slice(2));
