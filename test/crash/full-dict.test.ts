import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';

const mount = 'mount -t tmpfs -o size=4m tmpfs /dev/shm';
const possible =
  process.platform === 'linux' && spawnSync('unshare', ['-m', 'sh', '-c', mount]).status === 0;

describe.runIf(possible)('a dict in a full /dev/shm (needs unshare -m and mount, so root)', () => {
  it('says ENOSPC, is unharmed, and goes on when something was deleted; never SIGBUS', async () => {
    const child = start('dict/full', [], {
      under: ['unshare', '-m', 'sh', '-c', `${mount} && exec "$@"`, 'sh'],
    });
    expect(await child.hear()).toEqual({ little: true, capacity: true });
    expect(await child.hear()).toEqual({ code: 'ENOSPC', whole: true, some: true, absent: true });
    expect(await child.hear()).toEqual({ again: 'ENOSPC', whole: true });
    expect(await child.hear()).toEqual({ reused: 'ENOSPC', whole: true });
    expect(await child.hear()).toEqual({ cache: 'ENOSPC', left: ['shmkit.dict.dict'] });
    expect(await child.hear()).toEqual({ evicts: true, last: true });
    expect(await child.hear()).toEqual({ left: [] });
    await child.succeed();
  });
});
