// dict <get | set> <number | object> <shmkit | Map | lmdb | codec> <keys> <count> [packages]: entries
// of a SharedDict, of JavaScript's own Map, or of the npm package lmdb, that nobody else touches; or
// only what a value costs to pack and unpack.
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Packr } from 'msgpackr';
import { SharedDict } from 'shmkit';
import { expect, nameOf, perOperation, report } from './support';

interface Store {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  end(): void;
}

/** As much of lmdb as is used here. */
interface Lmdb {
  open: (options: object) => {
    get(key: string): unknown;
    putSync(key: string, value: unknown): boolean;
    transactionSync(act: () => void): void;
    close(): Promise<void>;
  };
}

const packr = new Packr({ structuredClone: true, moreTypes: true });

function codec(): Store {
  const packed = new Map<string, Uint8Array>();
  return {
    get: (key) => packr.unpack(packed.get(key)!) as unknown,
    set: (key, value) => packed.set(key, packr.pack(value)),
    end: () => undefined,
  };
}

function lmdb(packages: string): Store {
  const { open } = createRequire(path.join(packages, 'package.json'))('lmdb') as Lmdb;
  const directory = mkdtempSync(path.join(tmpdir(), nameOf('lmdb')));
  const database = open({ path: directory, noSync: true });
  return {
    get: (key) => database.get(key),
    set: (key, value) => database.putSync(key, value),
    end: () => void database.close().then(() => rmSync(directory, { recursive: true })),
  };
}

function shared(keys: number): Store {
  const capacity = Math.max(2 ** 26, keys * 160);
  const dict = SharedDict.create({ name: nameOf('dict'), capacity });
  dict.unlink();
  return {
    get: (key) => dict.get(key),
    set: (key, value) => dict.set(key, value),
    end: () => dict.close(),
  };
}

function native(): Store {
  const map = new Map<string, unknown>();
  return {
    get: (key) => map.get(key),
    set: (key, value) => map.set(key, value),
    end: () => undefined,
  };
}

const stores: Record<string, (keys: number, packages: string) => Store> = {
  shmkit: shared,
  Map: native,
  codec,
  lmdb: (_, packages) => lmdb(packages),
};

function valueOf(type: string, n: number): unknown {
  if (type === 'number') return n;
  return { id: n, name: 'somebody', active: true, score: n / 3, tags: ['a', 'b'] };
}

function measure([what, type = '', store = '', many, count, packages = '']: string[]): number {
  const length = Number(many);
  const keys = Array.from({ length }, (_, i) => `key ${i}`);
  const entries = stores[store]!(length, packages);
  keys.forEach((key, i) => entries.set(key, valueOf(type, i)));
  const values = Array.from({ length: Math.min(length, 1000) }, (_, i) => valueOf(type, i));
  // Neither in the order in which they were made nor in any other that a cache likes.
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

report(measure(process.argv.slice(2)));
