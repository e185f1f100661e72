// dict-beside <shmkit | lmdb> <keys> <count> <written | idle> [packages]: the time of one get. Meanwhile
// another process, dict-writer.ts, either keeps setting the entries or leaves them alone.
import { lmdb, lmdbDirectory, shared } from '../memory/stores';
import { ask, ended, expect, forkChild, perOperation, report } from '../support';

async function main([store = '', many, count, state = '', packages = '']: string[]): Promise<void> {
  const length = Number(many);
  const keys = Array.from({ length }, (_, i) => `key ${i}`);
  const directory = store === 'lmdb' ? lmdbDirectory() : '';
  const entries = store === 'lmdb' ? lmdb(packages, directory) : shared(length);
  keys.forEach((key) => entries.set(key, 0));
  const writer = forkChild('structures/dict-writer', store, length, state, directory, packages);
  await ask(writer, 'ready?');
  let at = 0;
  let found = 0;
  let done = 0;
  const nanoseconds = perOperation(Number(count), (times) => {
    done += times;
    for (let i = 0; i < times; i++) {
      if (entries.get(keys[(at = (at + 7919) % length)]!) !== undefined) found++;
    }
  });
  expect('entries found', found, done);
  const written = await ask<number>(writer, 'how many?');
  expect('whether it wrote', written > 0, state === 'written');
  writer.disconnect();
  await ended(writer);
  entries.end();
  report(nanoseconds);
}

void main(process.argv.slice(2));
