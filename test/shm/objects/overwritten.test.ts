// Bytes in shared memory are input. Whatever is in them, a reader gets an error or another value, and does not crash,
// hang, or see memory that is not the object's.
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

const rounds = 15_000;

/** A name in the bytes may become the name of nothing, of something else, or none. */
const known = [
  'fine',
  'ERR_CORRUPT',
  'ERR_ABI_MISMATCH',
  'ERR_WRONG_KIND',
  'ENOENT',
  'EINVAL',
  'ENAMETOOLONG',
];

describe.runIf(onLinux)(`${rounds} objects of which random bytes were overwritten or lost`, () => {
  it.each([1, 2, 3])('are errors or other values: seed %d', async (seed) => {
    const child = start('objects/overwritten', [seed, rounds]);
    const outcomes = await child.hear<Record<string, number>>();
    expect(Object.keys(outcomes).filter((each) => !known.includes(each))).toEqual([]);
    expect(outcomes.fine).toBeGreaterThan(rounds / 10);
    expect(outcomes.ERR_CORRUPT).toBeGreaterThan(rounds / 10);
    // Nobody holds the objects any longer that the copies led to.
    expect(await child.hear()).toEqual([1, 1]);
    await child.succeed();
  });
});
