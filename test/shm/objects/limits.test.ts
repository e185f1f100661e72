// Processes that the system gives little of something. They get an error that says what is missing, and leave nothing
// behind.
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
