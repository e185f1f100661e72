// Handles that nobody closes. The garbage collector closes them, if it is told how much they keep alive.
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

const MiB = 2 ** 20;

describe.runIf(onLinux)('objects whose handles are forgotten, in a program with turns', () => {
  it.each([
    ['made', 10_000, 100_000],
    ['made', 1000, MiB],
    ['made', 60, 16 * MiB],
    ['made and read', 10_000, 100_000],
    ['taken over', 1000, MiB],
    ['allocated and sealed', 1000, MiB],
  ])('%s: %d times %d bytes do not fill the memory', async (way, count, bytes) => {
    const execArgv = ['--max-old-space-size=64'];
    const child = start('objects/forgets', [way, bytes, count], { execArgv });
    const most = await child.hear<number>();
    // All of them together would take a GB. The engine is told from 64 MiB on, and allows 64 MiB more.
    expect(most).toBeLessThan(400 * MiB);
    expect(most).toBeGreaterThan(bytes);
    expect(await child.hear()).toBe(0);
    await child.succeed();
  });
});
