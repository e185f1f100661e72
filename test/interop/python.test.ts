import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Child } from '../support/children';
import { expectCode } from '../support/errors';
import { uniqueName } from '../support/names';

const python = ['python3', 'python'].find(
  (command) => spawnSync(command, ['-c', 'from multiprocessing import shared_memory']).status === 0,
);

function peer(role: string, name: string): Child {
  return new Child(spawn(python!, [path.resolve('test/interop/peer.py'), role, name]));
}

describe.runIf(python)('Python’s shared_memory (skipped where there is no python3)', () => {
  it('attaches to a segment made here; changes are seen both ways', async () => {
    using memory = SharedMemory.create({ name: uniqueName(), size: 1000 });
    const bytes = memory.array('uint8');
    bytes.set([1, 2, 3, 4]);
    const child = peer('attach', memory.name);
    expect(await child.hear()).toEqual({ size: 1000, found: [1, 2, 3, 4] });
    expect(await child.hear()).toBe('changed');
    expect([...bytes.subarray(0, 4)]).toEqual([200, 2, 3, 4]);
    bytes[3] = 44;
    child.tell('look');
    expect(await child.hear()).toEqual({ found: [200, 2, 3, 44] });
    await child.succeed();
    memory.unlink();
  });

  it('makes segments that are attached to here', async () => {
    const name = uniqueName();
    const child = peer('create', name);
    expect(await child.hear()).toEqual({ name, size: 1000 });
    using memory = SharedMemory.attach(name);
    expect(memory.size).toBe(1000);
    expect(Buffer.from(memory.read(0, 3)).toString()).toBe('abc');
    memory.array('uint8')[0] = 65;
    child.tell('look');
    expect(await child.hear()).toEqual({ found: [65, 98, 99, 0] });
    memory.close();
    SharedMemory.attach(name).close();
    child.tell('end');
    expect(await child.hear()).toBe('unlinked');
    await child.succeed();
    expectCode(() => SharedMemory.attach(name), 'ENOENT', name);
  });
});
