// Values that are stored apart, and a /dev/shm that has no room for them.
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';
import { after, tmpfs, whyNoMounts } from '../support/mounts';

describe.skipIf(whyNoMounts !== undefined)(
  `a dict that stores values apart in a full /dev/shm${whyNoMounts === undefined ? '' : ` (${whyNoMounts})`}`,
  () => {
    it('says ENOSPC, and loses nothing; or removes the least recently used of these values', async () => {
      const child = start('structure/full-apart', [], {
        under: after(tmpfs('size=4m')),
        execArgv: ['--expose-gc'],
      });
      expect(await child.hear()).toEqual({ code: 'ENOSPC', some: true, all: true, whole: true });
      expect(await child.hear()).toEqual({ left: 0 });
      expect(await child.hear()).toEqual({ last: 49, fewer: true, kept: true });
      expect(await child.hear()).toEqual({ left: 0 });
      await child.succeed();
    });
  },
);
