// A thread maps only the part of a structure's memory that it has needed so far. Memory beyond its views,
// which other threads or the thread itself have added, must be usable all the same.
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { SharedDict, SharedList, SharedQueue } from 'shmkit';
import { uniqueName } from '../../support/names';

const library = require.resolve('shmkit');

/** Runs an operation on an object in another thread, which has its own views. */
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

/** Values of all lengths, so that views end within all kinds of data. */
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

/** Far more than the part of a new object that a thread maps. */
const far = 1 << 20;
const text = (letter: string) => letter.repeat(far);
const textSource = `const text = (letter) => letter.repeat(${far});`;

/** What another thread does beyond this thread's views, and what this thread does there next. */
const dictCases: [string, string, (dict: SharedDict) => void][] = [
  ['a block is read', `o.set('a', text('a'));`, (dict) => expect(dict.get('a')).toBe(text('a'))],
  ['a block is freed', `o.set('a', text('a'));`, (dict) => expect(dict.delete('a')).toBe(true)],
  [
    'a block is freed whose neighbours are free',
    `for (const k of 'abcde') o.set(k, text(k)); o.delete('b'); o.delete('d');`,
    (dict) => expect(dict.delete('c')).toBe(true),
  ],
  ['a block is made anew', `o.set('a', text('a'));`, (dict) => dict.set('a', `${text('a')}longer`)],
  [
    'a free block is taken',
    `for (const k of 'ab') o.set(k, text(k)); o.delete('a');`,
    (dict) => dict.set('c', text('c')),
  ],
  [
    'a part of a free block is taken',
    `for (const k of 'ab') o.set(k, text(k)); o.delete('a');`,
    (dict) => dict.set('c', 'c'.repeat(far / 2)),
  ],
  [
    'a free block far behind is taken',
    `for (const k of 'abc') o.set(k, text(k)); o.delete('b');`,
    (dict) => dict.set('d', text('d')),
  ],
  [
    'a small free block far behind is taken',
    `for (let i = 0; i < 500; i++) o.set(String(i), 'x'.repeat(4000)); o.delete('400');`,
    (dict) => dict.set('x', 'x'.repeat(3990)),
  ],
  [
    'a part of a free block far behind is taken',
    `for (const k of 'abc') o.set(k, text(k)); o.delete('b');`,
    (dict) => dict.set('c', 'c'.repeat(far / 2)),
  ],
  [
    'a block is made behind all others',
    `for (const k of 'ab') o.set(k, text(k));`,
    (dict) => dict.set('c', text('c')),
  ],
];

describe('a thread that has seen little of the memory', () => {
  it.each(dictCases)('finds what is there of a dict: %s', async (_, there, here) => {
    const name = uniqueName('dict');
    using dict = SharedDict.create({ name });
    // Now it has mapped the part in front.
    dict.set('x', 'x'.repeat(3000));
    await elsewhere(name, 'SharedDict', `${textSource} ${there}`);
    here(dict);
    for (const [key, value] of dict) {
      const letter = key.length === 1 && Number.isNaN(Number(key)) ? key : 'x';
      expect([key, String(value).slice(0, 3000)]).toEqual([key, letter.repeat(3000)]);
    }
    for (const key of [...dict.keys()]) expect(dict.delete(key)).toBe(true);
    expect(dict.bytesUsed).toBe(0);
    dict.unlink();
  });

  it.each<[string, string, (list: SharedList) => void]>([
    ['an element is removed', `o.push(...[...'abc'].map(text));`, (list) => list.pop()],
    ['one in the middle is', `o.push(...[...'abc'].map(text));`, (list) => list.splice(2, 1)],
    [
      'the place of one that was removed is taken',
      `o.push(...[...'abc'].map(text)); o.splice(2, 1);`,
      (list) => list.push(text('d')),
    ],
    [
      'an element is replaced',
      `o.push(...[...'abc'].map(text));`,
      (list) => list.set(2, text('d')),
    ],
    [
      'an element far behind becomes a number',
      `o.push(...[...'abc'].map(text));`,
      (list) => list.set(3, 7),
    ],
    [
      'an element far behind becomes a short text',
      `o.push(...[...'abc'].map(text));`,
      (list) => list.set(3, 'd'),
    ],
    ['its directory grows', `for (let i = 0; i < 5e4; i++) o.push(i);`, (list) => list.push('end')],
  ])('finds what is there of a list: %s', async (_, there, here) => {
    const name = uniqueName('list');
    using list = SharedList.create({ name });
    list.push(0);
    await elsewhere(name, 'SharedList', `${textSource} ${there}`);
    const before = list.length;
    here(list);
    const elements = list.toArray();
    expect(Math.abs(elements.length - before)).toBeLessThan(2);
    for (const element of elements) {
      if (typeof element === 'string' && element.length > 3) {
        expect(element).toBe(text(element[0]!));
      }
    }
    expect(list.splice(0)).toEqual(elements);
    list.clear();
    expect(list.bytesUsed).toBe(0);
    list.unlink();
  });

  it('finds what is there of a queue', async () => {
    const name = uniqueName('queue');
    using queue = SharedQueue.create({ name });
    queue.putSync(0);
    await elsewhere(
      name,
      'SharedQueue',
      `${textSource} for (const k of 'abc') o.putSync(text(k));`,
    );
    expect([queue.getSync(), queue.getSync()]).toEqual([0, text('a')]);
    queue.putSync(text('d'));
    for (const letter of 'bcd') expect(queue.getSync()).toBe(text(letter));
    expect([queue.size, queue.bytesUsed]).toEqual([0, 0]);
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
