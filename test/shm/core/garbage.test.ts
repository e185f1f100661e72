// Objects that were not closed are released when they are garbage-collected. This is visible in the
// process's mappings: an attached object appears there with its name, and a creator's own mapping only with
// a number.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

function mappings(name: string): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(name)).length;
}

/** Collects garbage until the condition holds. The test's watchdog ends a wait that never succeeds. */
async function collectedUntil(condition: () => boolean): Promise<void> {
  while (!condition()) {
    globalThis.gc!();
    await delay(1);
  }
}

describe.runIf(onLinux)('garbage collection', () => {
  it('unmaps a segment that nobody closed', async () => {
    const name = uniqueName();
    (() => {
      SharedMemory.create({ name, size: 4096 }).close();
      SharedMemory.attach(name);
      SharedMemory.attach(name).array('uint8').fill(1);
    })();
    await collectedUntil(() => mappings(name) === 0);
    SharedMemory.unlink(name);
  });

  it('keeps the memory of a buffer whose segment is gone', async () => {
    const name = uniqueName();
    SharedMemory.create({ name, size: 4096 }).close();
    const kept: Uint8Array[] = [SharedMemory.attach(name).array('uint8')];
    for (let i = 0; i < 10; i++) {
      globalThis.gc!();
      await delay(1);
    }
    kept[0]![0] = 1;
    expect(mappings(name)).toBe(1);
    SharedMemory.unlink(name);
    kept.pop();
    await collectedUntil(() => mappings(name) === 0);
  });

  it('unmaps a lock that nobody closed', async () => {
    const name = uniqueName();
    (() => {
      NamedLock.create({ name }).close();
      NamedLock.attach(name).acquireSync().release();
      NamedLock.attach(name);
      expect(mappings(name), 'one mapping of a lock in a process').toBe(1);
    })();
    await collectedUntil(() => mappings(name) === 0);
    NamedLock.unlink(name);
  });

  it('keeps a lock that is held, handle or no handle', async () => {
    const name = uniqueName();
    const child = start('lock/forgets-held-lock', [name], { execArgv: ['--expose-gc'] });
    expect(await child.hear()).toBe('collected');
    using lock = NamedLock.attach(name);
    expect(lock.locked).toBe(true);
    await child.kill();
    expect(lock.acquireSync().abandoned).toBe(true);
    lock.release();
    lock.unlink();
  });

  it('lets memory be created and closed without end', () => {
    // More mappings than a process may have, if the system has its usual limit.
    const limit = Number(readFileSync('/proc/sys/vm/max_map_count', 'utf8'));
    for (let i = 0; i < Math.min(1.1 * limit, 72_000); i++) {
      const memory = SharedMemory.create({ size: 4096, sparse: true });
      memory.unlink();
      expect(memory.array('uint8').length).toBe(4096);
      memory.close();
    }
  });
});
