// queue <one-way | one-way-many | one-way-async | trip | trip-async> <bytes> <count>: messages through a
// SharedQueue to another process, which is queue-other.ts, and back. Prints the time of one message. The message is a
// string if the bytes are few, otherwise a Uint8Array.
import { SharedQueue } from 'shmkit';
import { ended, expect, forkChild, nameOf, now, report, warmUpOf } from '../support';

async function main([way = '', bytes, times]: string[]): Promise<void> {
  const count = Number(times);
  const uncounted = warmUpOf(count);
  const there = SharedQueue.create({ name: nameOf('there'), maxSize: 1000 });
  const back = SharedQueue.create({ name: nameOf('back') });
  const size = Number(bytes);
  const message = size < 1000 ? 'x'.repeat(size) : new Uint8Array(size);
  try {
    const atOnce = way === 'one-way-many' ? 50 : 1;
    const other = forkChild('structures/queue-other', way, uncounted + count, uncounted, atOnce);
    expect('answer', await back.get(), 'ready');
    let start = 0n;
    if (way === 'one-way' || way === 'one-way-many') {
      const messages = Array.from({ length: atOnce }, () => message);
      const put = atOnce === 1 ? () => there.putSync(message) : () => there.putManySync(messages);
      for (let i = 0; i < uncounted; i += atOnce) put();
      expect('answer', back.getSync(), 'warm');
      start = now();
      for (let i = 0; i < count; i += atOnce) put();
      expect('answer', back.getSync(), 'done');
    } else if (way === 'one-way-async') {
      for (let i = 0; i < uncounted; i++) await there.put(message);
      expect('answer', await back.get(), 'warm');
      start = now();
      for (let i = 0; i < count; i++) await there.put(message);
      expect('answer', await back.get(), 'done');
    } else {
      for (let i = 0; i < uncounted + count; i++) {
        if (i === uncounted) start = now();
        if (way === 'trip') {
          there.putSync(message);
          back.getSync();
        } else {
          await there.put(message);
          await back.get();
        }
      }
    }
    const nanoseconds = Number(now() - start) / count;
    await ended(other);
    report(nanoseconds);
  } finally {
    there.unlink();
    back.unlink();
  }
}

void main(process.argv.slice(2));
