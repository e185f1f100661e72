// Bytes and words of a live dict are overwritten while other processes read and write. There is no crash
// and no endless loop. The worst results are ERR_CORRUPT and a wrong value.
import { SharedDict } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { uniqueName } from '../../support/names';
import { vandalize } from '../../support/vandal';
import { onLinux } from '../../support/system';

const known = ['ERR_CORRUPT', 'ERR_ABI_MISMATCH', 'ERR_CAPACITY', 'ERR_INVALID_ARG_TYPE'];

describe.runIf(onLinux)('a dict whose bytes are overwritten', () => {
  it.each([
    ['anywhere', 0, 100_000],
    ['in its own words, table and log', 0, 20_000],
    ['in its entries', 20_000, 100_000],
  ])('%s harms nobody who uses it', async (_, from, to) => {
    const capacity = 1 << 18;
    const dict = SharedDict.create({ name: uniqueName('dict'), capacity });
    for (let i = 0; i < 400; i++) dict.set(`key ${i}`, { i });
    const { name } = dict;
    await vandalize({ kind: 'dict', name, from, to, milliseconds: 4000, known });
    dict.clear();
    dict.set('again', 1);
    expect([...dict]).toEqual([['again', 1]]);
    dict.unlink();
    dict.close();
  });
});
