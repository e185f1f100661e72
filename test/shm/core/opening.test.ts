// What open() does with its options when an object of that name exists: the table of docs/opening.md.
import { readFileSync } from 'node:fs';
import {
  Manager,
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedNamespace,
  SharedQueue,
  SharedValue,
} from 'shmkit';
import { afterEach, describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';

interface Any {
  readonly name: string;
  unlink?(): void;
  shutdown?(): void;
  close(): void;
}

interface Class {
  readonly name: string;
  create(options: object): Any;
  open(name: string, options?: object): Any;
}

type Read = (object: never) => unknown;

/** One option: two values of it, and, if there is one, a way to read which value the object has. */
type Case = readonly [option: string, first: unknown, other: unknown, read?: Read];

interface Table {
  readonly type: unknown;
  /** The options that the cases are added to. */
  readonly needs?: object;
  /** Options that define the object: other values than the object's own are refused. */
  readonly is?: readonly Case[];
  /** Options that matter for a new object only. */
  readonly begins: readonly Case[];
}

const mode: Case = ['mode', 0o600, 0o640];
const mib = 2 ** 20;
const capacity: Case = ['capacity', mib, 2 * mib, (object: SharedDict) => object.capacity];
const outOfBand: Case = ['outOfBand', 5000, 6000, (object: SharedDict) => object.outOfBand];
const participants: Case = [
  ...(['participants', 8, 64] as const),
  (object: NamedCondition) => object.participants > 32,
];

const tables: Table[] = [
  {
    type: SharedMemory,
    needs: { size: 100 },
    is: [['size', 100, 10_000, (memory: SharedMemory) => memory.size >= 10_000]],
    begins: [mode, ['sparse', false, true]],
  },
  {
    type: SharedValue,
    needs: { type: 'int32' },
    is: [['type', 'int32', 'float64', (value: SharedValue) => value.type]],
    begins: [mode, ['value', 1, 2, (value: SharedValue) => value.value]],
  },
  {
    type: SharedArray,
    needs: { type: 'int32', length: 3 },
    is: [
      ['type', 'int32', 'uint32', (array: SharedArray) => array.type],
      ['length', 3, 4, (array: SharedArray) => array.length],
    ],
    begins: [mode],
  },
  {
    type: ShareableList,
    needs: { from: [1, 2] },
    begins: [mode, ['from', [1, 2], [3], (list: ShareableList) => list.toArray().join()]],
  },
  { type: NamedLock, begins: [mode] },
  { type: NamedRLock, begins: [mode] },
  { type: NamedEvent, begins: [mode] },
  { type: NamedCondition, begins: [mode, participants] },
  { type: NamedRWLock, begins: [mode, participants] },
  {
    type: NamedSemaphore,
    is: [
      ['max', 5, 6, (semaphore: NamedSemaphore) => semaphore.max],
      ['robust', true, false, (semaphore: NamedSemaphore) => semaphore.robust],
    ],
    begins: [mode, participants, ['value', 1, 2, (semaphore: NamedSemaphore) => semaphore.value]],
  },
  {
    type: NamedBarrier,
    needs: { parties: 2 },
    is: [['parties', 2, 3, (barrier: NamedBarrier) => barrier.parties]],
    begins: [mode, participants],
  },
  {
    type: SharedDict,
    begins: [
      mode,
      capacity,
      outOfBand,
      ['ttl', 60_000, 1000, (dict: SharedDict) => dict.ttl],
      ['ttl', undefined, 1000, (dict: SharedDict) => dict.ttl],
      ['eviction', undefined, 'lru', (dict: SharedDict) => dict.eviction],
    ],
  },
  { type: SharedNamespace, begins: [mode, capacity, outOfBand] },
  { type: SharedList, begins: [mode, capacity, outOfBand] },
  {
    type: SharedQueue,
    begins: [
      mode,
      capacity,
      outOfBand,
      participants,
      ['maxSize', 5, 6, (queue: SharedQueue) => queue.maxSize],
      ['maxSize', undefined, 6, (queue: SharedQueue) => queue.maxSize],
    ],
  },
  { type: Manager, begins: [mode, ['capacity', mib, 2 * mib]] },
];

const opened: Any[] = [];

afterEach(() => {
  for (const object of opened.splice(0)) {
    if (object.shutdown !== undefined && object.unlink === undefined) {
      object.shutdown();
      continue;
    }
    try {
      object.unlink?.();
    } catch (error) {
      // The first of several handles has already unlinked it.
      expect((error as NodeJS.ErrnoException).code).toBe('ENOENT');
    }
    object.close();
  }
});

function open(type: unknown, name: string, options: object): Any {
  const object = (type as Class).open(name, options);
  opened.push(object);
  return object;
}

function withOption(needs: object | undefined, option: string, value: unknown): object {
  return { ...needs, ...(value !== undefined && { [option]: value }) };
}

function titled(cases: readonly Case[]) {
  return cases.map((each) => ({ each, title: `${each[0]}: ${String(each[2])}` }));
}

describe.each(tables.map((table) => [(table.type as Class).name, table] as const))(
  'open() of a %s that is there',
  (_, { type, needs, is = [], begins }) => {
    it.each(titled(is))('refuses $title, and says both', ({ each }) => {
      const [option, first, other, read] = each;
      const name = uniqueName();
      const object = open(type, name, withOption(needs, option, first));
      const before = read!(object as never);
      const asked = withOption(needs, option, other);
      expectCode(() => open(type, name, asked), 'ERR_WRONG_KIND', name, String(other));
      // The same value is accepted. If the option can be left out, so is an object with any value.
      expect(read!(open(type, name, withOption(needs, option, first)) as never)).toBe(before);
      expect(read!(object as never)).toBe(before);
    });

    it.each(titled(begins))('takes it as it is, for $title', ({ each }) => {
      const [option, first, other, read] = each;
      const name = uniqueName();
      const object = open(type, name, withOption(needs, option, first));
      const again = open(type, name, withOption(needs, option, other));
      if (read === undefined) return;
      expect(read(again as never)).toEqual(read(object as never));
      // This shows that the option makes a difference.
      const fresh = open(type, uniqueName(), withOption(needs, option, other));
      expect(read(fresh as never)).not.toEqual(read(again as never));
    });

    it('checks all options, also those that do not count', () => {
      const name = uniqueName();
      open(type, name, needs ?? {});
      if (needs) expectCode(() => open(type, name, {}), 'ERR_INVALID_ARG_TYPE');
      expectCode(() => open(type, name, { ...needs, mode: -1 }), 'ERR_OUT_OF_RANGE', 'mode');
      expectCode(() => open(type, name, { ...needs, modes: 1 }), 'ERR_INVALID_ARG_VALUE', 'mode');
    });

    it('is documented', () => {
      const rows = readFileSync('docs/opening.md', 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('|') && line.includes(`\`${(type as Class).name}\``))
        .map((line) => line.split('|').map((cell) => cell.trim()));
      const [, , refused = '', counting = ''] = rows[0] ?? [];
      for (const [option] of is) expect(refused).toContain(`\`${option}\``);
      for (const [option] of begins) expect(counting).toContain(`\`${option}\``);
      const named = (cell: string) =>
        new Set([...cell.matchAll(/`(\w+)`/g)].map(([, each]) => each));
      expect(named(refused)).toEqual(new Set(is.map(([option]) => option)));
      expect(named(counting)).toEqual(new Set(begins.map(([option]) => option)));
    });
  },
);

it('open() without an option takes whatever is there', () => {
  const name = uniqueName();
  open(NamedSemaphore, name, { max: 3, robust: false });
  const again = open(NamedSemaphore, name, {}) as unknown as NamedSemaphore;
  expect([again.max, again.robust]).toEqual([3, false]);
});

describe('what each option is', () => {
  const rows = new Map(
    readFileSync('docs/opening.md', 'utf8')
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter(([, option = '']) => /^`[a-z]\w*`$/.test(option))
      .map(([, option = '', what = '', otherwise = '']) => [
        option.slice(1, -1),
        `${what}: ${otherwise}`,
      ]),
  );

  it('is documented, for all that there are', () => {
    const known = tables.flatMap(({ type, needs }) => {
      let message = '';
      try {
        open(type, uniqueName(), { ...needs, zzzzzzzz: 1 });
      } catch (error) {
        ({ message } = error as Error);
      }
      const [, ...names] = [...message.matchAll(/'(\w+)'/g)].map(([, each]) => each);
      expect(names).toContain('mode');
      return names;
    });
    expect(new Set(rows.keys())).toEqual(new Set(known));
  });

  it('is documented, with what there is without it', () => {
    const make = <T>(type: { open(name: string): T }) =>
      open(type, uniqueName(), {}) as unknown as T;
    const semaphore = make(NamedSemaphore);
    const dict = make(SharedDict);
    const { maxSize, participants } = make(SharedQueue);
    expect([semaphore.max, semaphore.robust, dict.ttl, dict.eviction, maxSize]).toEqual([
      ...[undefined, true, undefined, undefined, undefined],
    ]);
    expect(dict.outOfBand).toBeUndefined();
    expect(rows.get('value')).toContain(`0; ${semaphore.value}`);
    expect(rows.get('capacity')).toContain(`${Math.round(dict.capacity / mib)} MiB`);
    for (const each of [participants, semaphore.participants, make(NamedRWLock).participants]) {
      expect(rows.get('participants')).toContain(`: ${each}`);
    }
  });
});
