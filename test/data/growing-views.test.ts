// A thread sees of a structure's memory what it has had a reason to look at. What is beyond its views,
// because others have made the memory grow, or it itself has, is there all the same.
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { SharedDict, SharedList, SharedQueue } from 'shmkit';
import { uniqueName } from '../support/names';

const library = require.resolve('shmkit');

/** Has another thread, with views of its own, do something with an object. */
async function elsewhere(name: string, kind: string, source: string): Promise<void> {
  const worker = new Worker(
    `const s = require(${JSON.stringify(library)});
     const o = s.${kind}.attach(${JSON.stringify(name)});
     ${source}
     o.close();`,
    { eval: true },
  );
  const [code] = (await once(worker, 'exit')) as [number];
  expect(code).toBe(0);
}

/** Of every length there is, so that views end within all kinds of things. */
const value = (i: number): unknown =>
  i % 3 === 0
    ? i
    : i % 3 === 1
      ? `${i}`.padEnd((i * 37) % 5000, 'x')
      : { i, text: 'y'.repeat(i % 700) };
const valueSource = `const value = (i) => i % 3 === 0 ? i : i % 3 === 1 ? \`\${i}\`.padEnd((i * 37) % 5000, 'x') : { i, text: 'y'.repeat(i % 700) };`;
const many = 4000;

describe('memory that grew elsewhere', () => {
  it.each([undefined, 'lru'] as const)(
    'of a dict: is read, changed and freed here (eviction: %s)',
    async (eviction) => {
      const name = uniqueName('dict');
      using dict = SharedDict.create(eviction ? { name, eviction } : { name });
      dict.set('here', 1);
      await elsewhere(
        name,
        'SharedDict',
        `${valueSource} for (let i = 0; i < ${many}; i++) o.set('key' + i, value(i));`,
      );
      for (let i = many - 1; i >= 0; i--) expect(dict.get(`key${i}`)).toEqual(value(i));
      await elsewhere(
        name,
        'SharedDict',
        `for (let i = 0; i < ${many}; i++) o.set('more' + i, 'z'.repeat(i), { ttl: 1e9 });`,
      );
      for (let i = 0; i < many; i++) expect(dict.delete(`key${i}`)).toBe(true);
      expect([...dict.keys()].length).toBe(many + 1);
      for (let i = 0; i < many; i++) dict.set(`more${i}`, i, { ttl: 1e9 });
      await elsewhere(
        name,
        'SharedDict',
        `for (let i = 0; i < ${many}; i++) if (o.get('more' + i) !== i) process.exit(1);`,
      );
      for (let i = 0; i < many; i++) expect(dict.add(`more${i}`, 1)).toBe(i);
      expect(dict.size).toBe(many + 1);
      dict.unlink();
    },
  );

  it('of a list: is read, changed and freed here', async () => {
    const name = uniqueName('list');
    using list = SharedList.create({ name });
    list.push('here');
    await elsewhere(
      name,
      'SharedList',
      `${valueSource} for (let i = 0; i < ${many}; i++) o.push(value(i));`,
    );
    expect(list.at(-1)).toEqual(value(many - 1));
    expect(list.slice()).toEqual(['here', ...Array.from({ length: many }, (_, i) => value(i))]);
    list.splice(10, 1000, 'a', 'b');
    for (let i = 0; i < 500; i++) list.unshift(value(i));
    const all = list.slice();
    await elsewhere(
      name,
      'SharedList',
      `for (let i = 0; i < 2000; i++) o.push('q'.repeat(i)); for (let i = 0; i < 2000; i++) o.pop();`,
    );
    expect(list.slice()).toEqual(all);
    for (const one of all) expect(list.shift()).toEqual(one);
    expect(list.bytesUsed).toBeLessThan(100_000);
    list.unlink();
  });

  it('of a queue: is taken here', async () => {
    const name = uniqueName('queue');
    using queue = SharedQueue.create({ name });
    for (let round = 0; round < 3; round++) {
      await elsewhere(
        name,
        'SharedQueue',
        `${valueSource} for (let i = 0; i < ${many}; i++) o.putSync(value(i));`,
      );
      for (let i = 0; i < many; i++) expect(queue.getSync()).toEqual(value(i));
      for (let i = 0; i < many / 2; i++) queue.putSync(value(i));
      await elsewhere(
        name,
        'SharedQueue',
        `${valueSource} for (let i = 0; i < ${many / 2}; i++) if (JSON.stringify(o.getSync()) !== JSON.stringify(value(i))) process.exit(1);`,
      );
    }
    queue.unlink();
  });
});

describe('memory that grows here', () => {
  it('keeps what a function is at work with that is given the value', () => {
    using dict = SharedDict.create();
    dict.set('n', 1);
    dict.update('n', (n) => {
      return `${String(n)}${'x'.repeat(1 << 22)}`;
    });
    expect(String(dict.get('n')).length).toBe((1 << 22) + 1);
    dict.unlink();
  });
});
