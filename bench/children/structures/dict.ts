// dict <get | set> <number | text | object> <shmkit | Map | lmdb | ems | redis | codec> <keys> <count>
// [packages]: entries of a SharedDict, of JavaScript's own Map, of the npm packages lmdb and ems, or of a
// Redis server, which no other process touches; or only the cost of packing and unpacking a value.
import {
  codec,
  ems,
  lmdb,
  lmdbDirectory,
  native,
  redis,
  shared,
  type Store,
} from '../memory/stores';
import { expect, perOperation, perOperationAsync, report } from '../support';

const stores: Record<string, (keys: number, packages: string) => Store> = {
  shmkit: shared,
  Map: native,
  codec,
  lmdb: (_, packages) => lmdb(packages, lmdbDirectory()),
  ems: (keys, packages) => ems(packages, keys),
};

function valueOf(type: string, n: number): unknown {
  if (type === 'number') return n;
  if (type === 'text') return `a text of ${String(n).padStart(10, '0')}`;
  return { id: n, name: 'somebody', active: true, score: n / 3, tags: ['a', 'b'] };
}

function measure([what, type = '', store = '', many, count, packages = '']: string[]): number {
  const length = Number(many);
  const keys = Array.from({ length }, (_, i) => `key ${i}`);
  const entries = stores[store]!(length, packages);
  keys.forEach((key, i) => entries.set(key, valueOf(type, i)));
  const values = Array.from({ length: Math.min(length, 1000) }, (_, i) => valueOf(type, i));
  // Not in the order in which the entries were created, and not in another order that suits a cache.
  const step = 7919;
  let at = 0;
  let found = 0;
  let done = 0;
  const nanoseconds = perOperation(Number(count), (times) => {
    done += times;
    if (what === 'get') {
      for (let i = 0; i < times; i++) {
        if (entries.get(keys[(at = (at + step) % length)]!) !== undefined) found++;
      }
    } else {
      for (let i = 0; i < times; i++) {
        entries.set(keys[(at = (at + step) % length)]!, values[i % values.length]);
      }
      found += times;
    }
  });
  expect('entries found', found, done);
  entries.end();
  return nanoseconds;
}

/** The same for a store whose answers are awaited. Numbers are sent as text. */
async function measureRedis([what, , , many, count, packages = '']: string[]): Promise<number> {
  const { client, end } = await redis(packages);
  const length = Number(many);
  for (let i = 0; i < length; i++) await client.set(`key ${i}`, String(i));
  let at = 0;
  const nanoseconds = await perOperationAsync(Number(count), async (times) => {
    for (let i = 0; i < times; i++) {
      at = (at + 7919) % length;
      if (what === 'set') await client.set(`key ${at}`, String(at));
      else expect('value', Number(await client.get(`key ${at}`)), at);
    }
  });
  end();
  return nanoseconds;
}

async function main(args: string[]): Promise<void> {
  report(args[2] === 'redis' ? await measureRedis(args) : measure(args));
}

void main(process.argv.slice(2));
