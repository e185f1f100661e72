// A table of Apache Arrow over the memory of an object: it is not copied, by this process or by many.
import { readFileSync } from 'node:fs';
import {
  tableFromArrays,
  tableFromIPC,
  tableToIPC,
  type Float64,
  type Int32,
  type Table,
  type TypeMap,
} from 'apache-arrow';
import { SharedObject, attach } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

interface Columns extends TypeMap {
  id: Int32;
  price: Float64;
}

const rows = 10_000;
const ids = Int32Array.from({ length: rows }, (_, i) => i);
const prices = Float64Array.from({ length: rows }, (_, i) => i / 4);

const shared = () =>
  SharedObject.create({ from: tableToIPC(tableFromArrays({ id: ids, price: prices })) });

/** The numbers of a column, as they are in the table. */
function valuesOf(table: Table<Columns>, name: keyof Columns): Float64Array | Int32Array {
  const { data } = table.getChild(name)!;
  expect(data).toHaveLength(1);
  return data[0]!.values as Float64Array | Int32Array;
}

describe('a table over the attached bytes', () => {
  it('has its columns in this memory', () => {
    using object = shared();
    using attached = attach(structuredClone(object));
    const bytes = attached.value;
    const table = tableFromIPC<Columns>(bytes);
    expect(valuesOf(table, 'id')).toEqual(ids);
    expect(valuesOf(table, 'price')).toEqual(prices);
    for (const name of ['id', 'price'] as const) {
      expect(valuesOf(table, name).buffer).toBe(bytes.buffer);
    }
    // What is written into the bytes is in the column.
    const { byteOffset } = valuesOf(table, 'price');
    new Float64Array(bytes.buffer, byteOffset)[7] = -1;
    expect(table.getChild('price')!.get(7)).toBe(-1);
  });

  it('is emptied by close(), while another one over the same object is not', () => {
    using object = shared();
    const attached = attach(structuredClone(object));
    using other = attach(structuredClone(object));
    const [table, otherTable] = [attached, other].map(({ value }) => tableFromIPC<Columns>(value));
    expect(table!.getChild('price')!.get(9)).toBe(2.25);
    attached.close();
    expect(valuesOf(table!, 'id')).toHaveLength(0);
    expect(valuesOf(table!, 'price')).toHaveLength(0);
    expect(table!.getChild('price')!.get(9)).toBeUndefined();
    expect(otherTable!.getChild('price')!.get(9)).toBe(2.25);
  });
});

/**
 * How many bytes of memory processes need for the file of an object: their proportional set sizes together. A page
 * that several processes use counts for each of them in part.
 */
function memoryOf(pids: readonly number[], name: string): number {
  const entry = new RegExp(`/shmkit\\.object\\.${name}$[^]*?^Pss: +(\\d+) kB$`, 'gm');
  const sizes = pids.map((pid) => {
    const found = [...readFileSync(`/proc/${pid}/smaps`, 'latin1').matchAll(entry)];
    return found.reduce((sum, [, kib]) => sum + 1024 * Number(kib), 0);
  });
  return sizes.reduce((sum, each) => sum + each, 0);
}

it.runIf(onLinux)(
  'eight readers of 64 MiB need 64 MiB together (skipped where the system does not tell)',
  async () => {
    const price = new Float64Array(8 << 20).fill(0.5);
    using object = SharedObject.create({ from: tableToIPC(tableFromArrays({ price })) });
    const readers = Array.from({ length: 8 }, () => start('objects/arrow-reader', [object]));
    for (const reader of readers) {
      const answer = await reader.hear<{ grownBy: number }>();
      expect(answer).toMatchObject({ sum: price.length / 2, isInPlace: true });
      expect(answer.grownBy).toBeLessThan(price.byteLength / 2); // it has no copy elsewhere
    }
    const pids = readers.map((reader) => reader.process.pid!);
    const together = memoryOf(pids, object.name) / price.byteLength;
    expect(together).toBeGreaterThan(0.95); // they do read it from there
    expect(together).toBeLessThanOrEqual(1.1);
    for (const reader of readers) {
      reader.tell('end');
      await reader.succeed();
    }
  },
);
