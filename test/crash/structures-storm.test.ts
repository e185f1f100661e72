// Thousands of processes are killed at random moments of their work on structures: attaching, changing,
// growing. Each process counts its own progress, so the moments are the same on any machine. A killed
// process costs a fork instead of a start. After each death the whole structure is checked: the changes of
// the dead process are there, and the change that it died in is there as a whole or not at all. For data
// that all processes use and remove, a ledger is checked at the end of each batch of deaths.
import { randomInt } from 'node:crypto';
import { SharedDict, SharedList, SharedMemory, SharedNamespace, SharedQueue } from 'shmkit';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Account, KindName } from '../fixtures/zygotes/zygote';
import type { Item } from '../fixtures/queue/storm';
import { Known, groupsIn } from '../fixtures/zygotes/groups';
import { ItemLedger, Put, Taken, mostItems } from '../fixtures/zygotes/items';
import { ownKeys, type DictRules } from '../fixtures/zygotes/dict';
import { mostKills } from '../support/system';
import { Temporaries, watchdog, type Named } from '../support/temporaries';
import { whyNoZygotes, compileForking, Zygotes } from '../support/zygotes';

const zygotes = 3;
/** Each batch uses new objects, so that there are kills while they grow. */
const batches = Math.min(5, Math.max(2, Math.ceil(mostKills / 20)));
/** How many changes a life makes at most. The first change of a process takes the longest. */
const mostChanges = 40;
const timeout = 300_000;

const nearlyFull = { capacity: 1 << 17, eviction: 'lru' } as const;

interface Structure extends Named {
  readonly name: string;
  readonly bytesUsed: number;
}

interface Storm<T extends Structure> {
  readonly kind: KindName;
  readonly rules?: Partial<DictRules>;
  /** How many lives each zygote spends in each batch. */
  readonly lives: number;
  /** Whether a zygote cannot know if the change that a life died in is there. */
  readonly isVague?: boolean;
  /** Whether each zygote has an object of its own. */
  readonly isOwn?: boolean;
  readonly create: () => T;
  /** Checks an object when all processes are dead. Afterwards nothing is in it. */
  readonly check: (object: T, accounts: readonly Account[], ledger: SharedMemory) => void;
}

function sum<K extends string>(name: K, accounts: readonly Readonly<Partial<Record<K, number>>>[]) {
  return accounts.reduce((total, account) => total + (account[name] ?? 0), 0);
}

/** The sum of a count that zygotes of one kind report of their lives. */
function told(name: string, accounts: readonly Account[]): number {
  return sum(
    name,
    accounts.map(({ account }) => account),
  );
}

/** Removes all elements in one change, and then what an empty list keeps. */
function empty(list: SharedList): void {
  const elements = list.toArray();
  expect(list.splice(0)).toEqual(elements);
  // An empty list keeps a directory and a chunk.
  expect(list.bytesUsed).toBeLessThan(2000);
  list.clear();
}

describe.skipIf(whyNoZygotes !== undefined)(
  `structures under thousands of kills${whyNoZygotes === undefined ? '' : ` (${whyNoZygotes})`}`,
  () => {
    let addon: string;
    beforeAll(() => {
      addon = compileForking();
    });

    async function storm<T extends Structure>(options: Storm<T>): Promise<void> {
      const { kind, rules = {}, isOwn = false, isVague = false, create, check } = options;
      const lives = Math.min(options.lives, mostKills);
      const crew = await Zygotes.start(addon, zygotes, kind, rules);
      const all: Account[] = [];
      for (let batch = 0; batch < batches; batch++) {
        using temporaries = new Temporaries();
        const objects = Array.from({ length: isOwn ? zygotes : 1 }, () =>
          temporaries.add(create()),
        );
        const before = objects.map(({ bytesUsed }) => bytesUsed);
        const ledger = temporaries.add(SharedMemory.create({ size: ItemLedger.bytes(zygotes) }));
        const accounts = await crew.spend((who) => ({
          name: objects[who % objects.length]!.name,
          ledger: ledger.name,
          seed: randomInt(1, 2 ** 31),
          kills: lives,
          mostChanges,
        }));
        for (const object of objects) check(object, accounts, ledger);
        expect(objects.map(({ bytesUsed }) => bytesUsed)).toEqual(before);
        all.push(...accounts);
      }
      await crew.end();
      const [attaching, between] = [sum('attaching', all), sum('between', all)];
      const [changing, undone, made] = [sum('changing', all), sum('undone', all), sum('made', all)];
      const kills = attaching + between + changing;
      console.log(
        `${kills} kills: ${attaching} attaching, ${between} between changes, ${changing} at one, ` +
          `of which ${undone} were undone and ${made} made for certain; ${sum('changes', all)} changes`,
      );
      expect(kills).toBe(batches * zygotes * lives);
      expect(attaching, 'some died before they had attached').toBeGreaterThan(0);
      expect(changing, 'many died at a change').toBeGreaterThan(kills / 4);
      if (isVague) return;
      expect(undone + made, 'of many it is known if it is there').toBeGreaterThan(kills / 10);
    }

    it.each([
      ['a dict with room', { capacity: 1 << 22 }, {}],
      ['a dict that is nearly full, and evicts', nearlyFull, { evicts: true }],
      ['a dict of which much expires and is computed', { capacity: 1 << 22 }, { expires: true }],
    ] as const)('%s', { timeout }, async (_, options, rules) => {
      await storm({
        kind: 'dict',
        rules,
        lives: 50,
        create: () => SharedDict.create(options),
        check: (dict, accounts) => {
          const added = told('added', accounts);
          const counted = (dict.get('sum') as number | undefined) ?? 0;
          if (!('evicts' in rules)) {
            expect(counted).toBeGreaterThanOrEqual(added);
            expect(counted).toBeLessThanOrEqual(added + told('mayBeAdded', accounts));
          }
          const keys = [...dict.keys()];
          expect(new Set(keys).size).toBe(keys.length);
          if (!('expires' in rules)) expect(dict.size).toBe(keys.length);
          for (const key of keys) dict.delete(key);
          // A process that died while computing has left a key. Others compute it, or delete it.
          for (let who = 0; who < zygotes; who++) {
            for (let i = 0; i < ownKeys; i++) {
              for (const key of [`${who}:${i}`, `${who}~${i}`]) {
                if ('expires' in rules) dict.getOrSetSync(key, () => i, watchdog);
                dict.delete(key);
              }
            }
          }
          expect([dict.size, [...dict]]).toEqual([0, []]);
        },
      });
    });

    it('a namespace', { timeout }, async () => {
      await storm({
        kind: 'namespace',
        rules: { isNamespace: true },
        lives: 40,
        create: () => SharedNamespace.create({ capacity: 1 << 22 }),
        check: ({ values }) => {
          for (const key of Object.keys(values))
            expect(Reflect.deleteProperty(values, key)).toBe(true);
          expect(Object.keys(values)).toEqual([]);
        },
      });
    });

    it('lists, each changed by one after another', { timeout }, async () => {
      await storm({
        kind: 'list',
        lives: 50,
        isOwn: true,
        create: () => SharedList.create({ capacity: 1 << 22 }),
        check: (list) => empty(list),
      });
    });

    it('a list that all change', { timeout }, async () => {
      await storm({
        kind: 'groups',
        lives: 40,
        isVague: true,
        create: () => SharedList.create({ capacity: 1 << 22 }),
        check: (list, accounts, memory) => {
          const ledger = memory.array('uint8');
          const there = new Set(groupsIn(list.toArray(), ledger, ledger));
          const mayBeMissing = told('mayBeMissing', accounts);
          let [put, missing] = [0, 0];
          for (const [number, known] of ledger.entries()) {
            if (known === Known.put || known === Known.removed) put++;
            if (known === Known.put && !there.has(number)) missing++;
          }
          expect(put).toBeGreaterThan(0);
          expect(missing, 'who took them died of it').toBeLessThanOrEqual(mayBeMissing);
          empty(list);
        },
      });
    });

    it('queues, each used by one after another', { timeout }, async () => {
      await storm({
        kind: 'queue',
        lives: 40,
        isOwn: true,
        create: () => SharedQueue.create({ capacity: 1 << 20 }),
        check: (queue) => {
          const { size } = queue;
          let count = 0;
          while (queue.tryGet() !== undefined) count++;
          // Items that a dead process had are offered again, and were not counted before.
          expect([count >= size, queue.size]).toEqual([true, 0]);
        },
      });
    });

    it('a queue that all use', { timeout }, async () => {
      await storm({
        kind: 'items',
        lives: 40,
        isVague: true,
        create: () => SharedQueue.create<Item>({ capacity: 1 << 20, maxSize: 100 }),
        check: (queue, accounts, memory) => {
          const ledger = new ItemLedger(memory);
          for (let item = queue.tryTake(); item !== null; item = queue.tryTake()) {
            ledger.see(item.value, item.isOfferedAgain);
            ledger.taken(item.value, Taken.done);
            item.ack();
          }
          const mayBeMissing = told('mayBeMissing', accounts);
          let [done, missing] = [0, 0];
          for (let who = 0; who < zygotes; who++) {
            for (let n = 0; n < mostItems; n++) {
              const { put, taken } = ledger.of(who, n);
              if (put === Put.done) done++;
              if (put === Put.done && taken === Taken.nothing) missing++;
            }
          }
          expect(done).toBeGreaterThan(0);
          expect(missing, 'who took them for good died of it').toBeLessThanOrEqual(mayBeMissing);
          expect(queue.size).toBe(0);
        },
      });
    });
  },
);
