import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { start } from '../support/children';

const mount = 'mount -t tmpfs -o size=4m tmpfs /dev/shm';
const possible =
  process.platform === 'linux' && spawnSync('unshare', ['-m', 'sh', '-c', mount]).status === 0;

describe.runIf(possible)('a list in a full /dev/shm (needs unshare -m and mount, so root)', () => {
  it('says ENOSPC, is unharmed, and goes on when something was removed; never SIGBUS', async () => {
    const child = start('list/full', [], {
      under: ['unshare', '-m', 'sh', '-c', `${mount} && exec "$@"`, 'sh'],
    });
    expect(await child.hear()).toEqual({ code: 'ENOSPC', whole: true, some: true });
    const codes = ['ENOSPC', 'ENOSPC', 'ENOSPC', 'ENOSPC'];
    expect(await child.hear()).toEqual({ codes, whole: true });
    expect(await child.hear()).toEqual({ length: true, whole: true });
    expect(await child.hear()).toEqual({ length: 200 });
    expect(await child.hear()).toEqual({ left: [] });
    await child.succeed();
  });
});
