// Bytes and words of a live list are overwritten while other processes read and write. There is no crash
// and no endless loop. The worst results are ERR_CORRUPT and a wrong value.
import { SharedList } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../../support/names';
import { vandalize } from '../../support/vandal';
import { onLinux } from '../../support/system';

const known = [
  'ERR_CORRUPT',
  'ERR_ABI_MISMATCH',
  'ERR_CAPACITY',
  'ERR_INVALID_ARG_TYPE',
  'ERR_OUT_OF_RANGE',
];

describe.runIf(onLinux)('a list whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 120_000],
    ['in its own words and log', 8, 10_500],
    ['in its own words alone', 1880, 2000],
    ['in its elements', 10_500, 120_000],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const list = SharedList.create({ name: uniqueName('list'), capacity: 1 << 18 });
    for (let i = 0; i < 400; i++) list.push(i % 3 === 0 ? { i } : i);
    const { name } = list;
    await vandalize({ kind: 'list', name, from, to, milliseconds: 4000, known });
    list.clear();
    list.push(1, 'a text that is new');
    expect(list.toArray()).toEqual([1, 'a text that is new']);
    list.unlink();
    list.close();
  });
});
