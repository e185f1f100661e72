// A process that only waits stays alive for as long as it waits, whatever it waits for.
import { describe, expect, it } from 'vitest';
import { ownWaits } from '../fixtures/loop/own-waits';
import { start } from '../support/children';

describe('a process that does nothing but to wait for another task of its own thread', () => {
  it.each(Object.keys(ownWaits))('stays until that goes on: %s', async (what) => {
    const child = start('loop/awaits-own', [what], { way: 'fork' });
    const other = start('loop/awaits-own', ['an event'], { way: 'fork' });
    expect(await child.hear()).toBe('waiting');
    // The other process begins at the same time, and ends. If the child did not wait, it would end by then,
    // too.
    expect(await other.hear()).toBe('waiting');
    other.process.send('go on');
    expect(await other.hear()).toBe('over');
    await other.succeed();
    child.process.send('go on');
    expect(await child.hear()).toBe('over');
    expect(await child.hear()).toBe('nothing left to do');
    await child.succeed();
  });
});
