// Sixteen processes change structures that are nearly full: no byte of their memory is lost.
import { SharedDict, SharedList, SharedQueue } from 'shmkit';
import { expect, it } from 'vitest';
import { start } from '../support/children';
import { uniqueName } from '../support/names';

it('memory that sixteen processes churn is all there when everything is deleted', async () => {
  const name = uniqueName('soak');
  const capacity = 1 << 20;
  const dict = SharedDict.create<string>({ name, capacity });
  const list = SharedList.create<string>({ name, capacity });
  const queue = SharedQueue.create<string>({ name, capacity });
  const all = [dict, list, queue];
  const before = all.map(({ bytesUsed }) => bytesUsed);
  for (let i = 0; i < 2000; i++) dict.set(`key ${i}`, 'x'.repeat(300));
  for (let i = 0; i < 2000; i++) list.push('x'.repeat(300));
  const crew = Array.from({ length: 16 }, (_, i) => start('structure/soak', [name, i + 1, 6000]));
  for (const child of crew) expect(await child.hear()).toBe('ready');
  let [done, full] = [0, 0];
  for (const child of crew) {
    const counts = await child.hear<{ done: number; full: number }>();
    done += counts.done;
    full += counts.full;
    await child.succeed();
  }
  console.log({ done, full, used: all.map(({ bytesUsed }) => bytesUsed) });
  // One by one, because clear() would also free a block that was lost.
  for (const key of [...dict.keys()]) expect(dict.delete(key)).toBe(true);
  while (list.length > 0) list.pop();
  while (queue.size > 0) queue.tryGet();
  expect([dict.size, [...dict.keys()]]).toEqual([0, []]);
  expect([dict.bytesUsed, queue.bytesUsed]).toEqual([before[0], before[2]]);
  list.clear();
  expect(all.map(({ bytesUsed }) => bytesUsed)).toEqual(before);
  for (const object of all) {
    object.unlink();
    object.close();
  }
});
