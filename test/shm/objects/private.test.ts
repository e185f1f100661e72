// What a program writes into the value of an object is its own, by whatever means it writes: other processes, and the next
// handle, have the value as it was made.
import { randomFill, randomFillSync } from 'node:crypto';
import { closeSync, openSync, read, readFileSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { SharedArray, SharedObject } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Peer } from '../../support/peers';
import { onLinux, onMacos } from '../../support/system';
import { temporary } from '../../support/temporaries';

const length = 10_000;
const made = () => Int32Array.from({ length }, (_, i) => i);

function withFile<T>(act: (file: number) => T): T {
  const file = openSync(process.execPath, 'r');
  try {
    return act(file);
  } finally {
    closeSync(file);
  }
}

const writes: [string, (view: Int32Array<ArrayBuffer>) => unknown][] = [
  ['a typed array', (view) => view.fill(-1)],
  ['Atomics.add', (view) => Atomics.add(view, 5000, 7)],
  ['Atomics.compareExchange', (view) => Atomics.compareExchange(view, 5000, 5000, 7)],
  ['a DataView', (view) => new DataView(view.buffer).setInt32(20_000, 7)],
  ['a Buffer', (view) => Buffer.from(view.buffer, 20_000).write('text')],
  ['TextEncoder', (view) => new TextEncoder().encodeInto('text', new Uint8Array(view.buffer))],
  ['crypto.randomFill', (view) => new Promise((resolve) => randomFill(view, resolve))],
  ['crypto.randomFillSync', (view) => randomFillSync(view)],
  ['fs.readSync', (view) => withFile((file) => readSync(file, view, 0, view.byteLength, 0))],
  [
    'fs.read, on another thread',
    async (view) => {
      const file = openSync(process.execPath, 'r');
      await promisify(read)(file, view, 0, view.byteLength, 0);
      closeSync(file);
    },
  ],
];

describe.skipIf(onMacos)('what is written stays private: by', () => {
  it.each(writes)('%s', async (_, write) => {
    const object = SharedObject.create({ from: made() });
    const file = () =>
      onLinux ? readFileSync(`/dev/shm/shmkit.object.${object.name}`) : Buffer.alloc(0);
    const early = await Peer.start(object);
    expect(await early.call('value.at', 5000)).toBe(5000);
    const { value } = object;
    // The words before the data say who holds the object.
    const dataAt = onLinux ? file().readUInt32LE(12) : 0;
    const before = file().subarray(dataAt);
    await write(value);
    expect(value).not.toEqual(made());
    expect(file().subarray(dataAt).equals(before)).toBe(true);
    const late = await Peer.start(object);
    for (const peer of [early, late]) {
      for (const at of [0, 5000, length - 1]) expect(await peer.call('value.at', at)).toBe(at);
    }
    object.close();
    using again = SharedObject.attach<Int32Array>(object.name);
    expect(again.value).toEqual(made());
    await Promise.all([early.end(), late.end()]);
  });

  it('a view of a part that belongs to a SharedArray', async () => {
    using array = temporary(SharedArray.create({ type: 'int32', from: made() }));
    using object = SharedObject.create({ from: { array: array.array } });
    const view = object.value.array;
    for (const [, write] of writes) await write(view);
    expect(view).not.toEqual(made());
    expect(array.array).toEqual(made());
  });
});
