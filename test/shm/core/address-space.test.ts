// Address space is a resource, too: the space of a closed object is released.
import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

const structures = ['dict', 'list', 'queue', 'namespace', 'dict that grows'];
const MiB = 2 ** 20;

interface Said {
  readonly more: number;
  readonly external: number;
}

async function cycles(kind: string, count: number, turns: boolean, under?: string[]) {
  const child = start('memory/opens-and-closes', [kind, count, turns], under ? { under } : {});
  const said = await child.hear<Said>();
  await child.succeed();
  return said;
}

/** Starts a process that may have only this much address space. */
const limited = (bytes: number) => ['sh', '-c', `ulimit -v ${bytes / 1024} && exec "$@"`, 'sh'];

describe.runIf(onLinux)('a structure of 256 MiB of address space', () => {
  it.each(structures)('%s: gives it back when it is closed, at once', async (kind) => {
    const { more } = await cycles(kind, 60, false);
    expect(more).toBeLessThan(512 * MiB);
  });

  it.each(structures)(
    '%s: is opened and closed any number of times where that is little',
    async (kind) => {
      await cycles(kind, 100, false, limited(12 * 2 ** 30));
    },
  );

  it.each(structures)('%s: is to the engine as much memory as there is', async (kind) => {
    const { external } = await cycles(kind, 20, true);
    // Everything that may wait for the garbage collector takes less address space than one structure.
    expect(external).toBeLessThan(256 * MiB);
  });
});

describe.runIf(onLinux)('memory that its users were shown', () => {
  it.each(['memory', 'array'])(
    '%s: makes room when there is no address space left',
    async (kind) => {
      const [count, bytes] = kind === 'memory' ? [150, 12 * 2 ** 30] : [1500, 4 * 2 ** 30];
      await cycles(kind, count, true, limited(bytes));
    },
  );
});
