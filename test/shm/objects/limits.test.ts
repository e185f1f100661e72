// Processes that the system gives little of something. They get an error that says what is missing, and leave nothing
// behind.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

describe.runIf(onLinux)('with 32 descriptors', () => {
  const under = ['sh', '-c', 'ulimit -n 32 && exec "$@"', 'sh'];
  const said = /^shared object '.*': (this thread cannot .*: )?too many files are open$/;
  const tooMany = ['EMFILE', expect.stringMatching(said)];

  it('a process has any number of objects, and as many drafts as it has descriptors', async () => {
    const child = start('objects/descriptors', ['few'], { under });
    const [drafts, create, again, seal, files, sealed, left] = await child.hearAll();
    await child.succeed();
    expect([drafts, create, seal]).toEqual([tooMany, tooMany, tooMany]);
    expect(again).toEqual(tooMany);
    expect(files).toEqual({ before: 100, after: 100 });
    expect(sealed).toEqual([10_000, 5]);
    expect(left).toBe(0);
  });

  it('none of which is left, everything says so, and all works when there are some', async () => {
    const child = start('objects/descriptors', ['none'], { under });
    const [, create, allocate, attach, list, freed, works, left] = await child.hearAll();
    await child.succeed();
    expect([create, allocate, attach]).toEqual([tooMany, tooMany, tooMany]);
    expect(list).toEqual(['EMFILE', 'shared objects cannot be listed: too many files are open']);
    expect(freed).toBeGreaterThan(1);
    expect([works, left]).toEqual(['fine', 0]);
  });
});

/** The default of Linux. With many more, the test takes too long. */
const most = onLinux ? Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1')) : NaN;

describe.runIf(most <= 100_000)('with as many mappings as the system allows', () => {
  it.each([
    ['SharedObject', 2],
    ['SharedMemory', 1],
    ['NamedLock', 1],
  ])('a process gets an error, and everything in it works: %s', async (kind, each) => {
    const child = start('objects/mappings', [kind]);
    const [complaints, count, works, buffers, left, again] = await child.hearAll();
    await child.succeed();
    const complaint = ['ENOMEM', expect.stringMatching(/has \d+ mappings.*vm\.max_map_count/)];
    expect(complaints).toEqual([complaint, complaint]);
    expect(count).toBeGreaterThan((0.8 * most) / each);
    expect([works, buffers, left, again]).toEqual([true, 100, 0, true]);
  });
});
