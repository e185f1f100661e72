// Electron refuses ArrayBuffers over memory that V8 did not allocate. An addon that is compiled as for
// Electron (npm run build:cmake:no-external-buffers) shows what still works in that case.
import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';

const refused = process.env.SHMKIT_PREBUILD?.endsWith('no-external-buffers') ?? false;

describe.runIf(refused)('without external buffers (skipped: needs the addon built so)', () => {
  it('zero copy is refused with a reason and an alternative', () => {
    using memory = SharedMemory.create({ size: 64 });
    memory.unlink();
    expectCode(() => memory.buffer, 'ERR_ZERO_COPY_UNAVAILABLE', memory.name, /read\(\)/);
    expectCode(() => memory.array('uint8'), 'ERR_ZERO_COPY_UNAVAILABLE', memory.name);
  });

  it('copies are exchanged all the same', () => {
    using memory = SharedMemory.create({ size: 64 });
    using reader = SharedMemory.attach(memory.name, { readOnly: true });
    memory.write(3, Buffer.from('still here'));
    expect(Buffer.from(reader.read(3, 10)).toString()).toBe('still here');
    memory.unlink();
  });

  it('locks do not care', async () => {
    using lock = NamedLock.create();
    lock.acquireSync().release();
    (await lock.acquire()).release();
    lock.unlink();
  });
});
