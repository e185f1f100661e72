// Processes of containers that share /dev/shm see each other's objects, but not each other's processes: all of them may
// have the same number. Who holds an object is known nevertheless.
import { spawnSync } from 'node:child_process';
import { SharedObject, attach, type SharedObjectHandle } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { removeOrphans } from '../../../lib/shm/objects/orphans';
import { start, type Child } from '../../support/children';
import { isThere } from '../../support/objects';
import { onLinux } from '../../support/system';

const under = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const canBeFirst = onLinux && spawnSync(under[0]!, [...under.slice(1), 'true']).status === 0;

const bytes = () => new Uint8Array(10_000).fill(1);

/** Starts a process that is the first one of a PID namespace. */
async function holder(object: SharedObject, holders: number): Promise<Child> {
  const child = start('objects/holder', [object.toJSON()], { under });
  expect(await child.hear()).toEqual({ pid: 1, holders, last: 1 });
  return child;
}

describe.runIf(canBeFirst)('in another PID namespace (needs unshare --pid, so root)', () => {
  it('a process that holds an object is alive, and its death is noticed', async () => {
    const object = SharedObject.create({ from: bytes() });
    const child = await holder(object, 2);
    expect(object.holders).toBe(2);
    object.close();
    expect(removeOrphans()).toBe(0);
    using again = attach(object.toJSON());
    expect(again.value).toEqual(bytes());
    expect(again.holders).toBe(2);
    await child.kill();
    expect(again.holders).toBe(1);
  });

  it('the last holder leaves nothing but a name, which goes when somebody looks', async () => {
    const object = SharedObject.create({ from: bytes() });
    const child = await holder(object, 2);
    object.close();
    expect(isThere(object.name)).toBe(true);
    await child.kill();
    expect(removeOrphans()).toBe(1);
  });

  it('two processes with the same number are told apart', async () => {
    using object = SharedObject.create({ from: bytes() });
    const first = await holder(object, 2);
    const second = await holder(object, 3);
    await first.kill();
    expect(object.holders).toBe(2);
    const third = await holder(object, 3);
    await second.kill();
    expect(object.holders).toBe(2);
    await third.kill();
    expect(object.holders).toBe(1);
  });

  it('what a process hands over is there when it has died', async () => {
    const child = start('objects/holder', [null], { under });
    const handle = await child.hear<SharedObjectHandle<Uint8Array>>();
    await child.kill();
    expect(removeOrphans()).toBe(0);
    const taken = attach(handle);
    expect(taken.value).toEqual(bytes());
    taken.close();
    expect(isThere(handle.name)).toBe(false);
  });
});
