import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';

const mount = 'mount -t tmpfs -o size=4m tmpfs /dev/shm';
const possible =
  process.platform === 'linux' && spawnSync('unshare', ['-m', 'sh', '-c', mount]).status === 0;

describe.runIf(possible)('a full /dev/shm (needs unshare -m and mount, so root)', () => {
  it('is ENOSPC at creation, leaves nothing behind, and never SIGBUS', async () => {
    const child = start('memory/fills-shm', [], {
      under: ['unshare', '-m', 'sh', '-c', `${mount} && exec "$@"`, 'sh'],
    });
    expect(await child.hear()).toEqual({
      tooLarge: 'ENOSPC',
      openTooLarge: 'ENOSPC',
      left: [],
      freeAgain: true,
    });
    expect(await child.hear()).toEqual({
      full: 0,
      lock: 'ENOSPC',
      one: 'ENOSPC',
      attach: 'fine',
      sparse: 'fine',
      left: ['all', 'sparse'],
    });
    expect(await child.hear()).toEqual({ lock: 'fine' });
    await child.succeed();
  });
});
