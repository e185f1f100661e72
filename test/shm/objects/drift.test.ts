// Whoever uses pools for days must not need more and more: 10,000 tasks leave nothing behind, in any process.
import { describe, expect, it } from 'vitest';
import type { Stage } from '../../fixtures/objects/drift';
import { start } from '../../support/children';
import { onLinux } from '../../support/system';

/** After so many tasks, the processes have nearly all the memory that they will ever have. */
const first = 5000;
const tasks = 10_000;

/** A page that is lost in each task would be 40 MiB. */
const mostBytes = 32 * 2 ** 20;
/** V8 enlarges the space of young objects from time to time, even if the program needs no more. */
const execArgv = ['--max-semi-space-size=2'];
/** A mapping that is lost in each task would be 10,000. */
const mostMappings = 5000;

describe.runIf(onLinux)(`${tasks} tasks with large arguments and results`, () => {
  it.each(['workerpool', 'tinypool'])(
    'take no more memory, mappings or room in /dev/shm: %s, processes',
    async (pool) => {
      const child = start('objects/drift', [pool, [first, first + tasks]], { execArgv });
      const [before, after] = (await child.hearAll()) as [Stage, Stage];
      await child.succeed();
      for (const stage of [before, after]) {
        expect([stage.files, stage.blocks]).toEqual([before.files, before.blocks]);
      }
      for (const role of ['main', 'worker'] as const) {
        const more = after[role].resident - before[role].resident;
        expect(more, `bytes of the ${role}`).toBeLessThan(mostBytes);
        const { mappings } = after[role];
        expect(mappings, `mappings of the ${role}`).toBeLessThan(
          before[role].mappings + mostMappings,
        );
      }
    },
  );
});
