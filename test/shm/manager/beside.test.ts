// A process that owns a manager ends in the same way as the same program without a manager, whatever it
// does at its end. It prints the same, exits by the same code or signal, and may use the manager until
// then. Nothing is left.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Manager } from 'shmkit';
import { describe, expect, it } from 'vitest';
import type { Beside } from '../../fixtures/manager/beside';
import { ended } from '../../fixtures/zygotes/forking';
import { fixturePath, start, type Child } from '../../support/children';
import { uniqueName } from '../../support/names';
import { compileForking, whyNoZygotes } from '../../support/zygotes';
import { onLinux } from '../../support/system';

type Sort = 'ofSignals' | 'exits' | 'exitsOfMain' | 'aborts';

const programs = JSON.parse(
  execFileSync(process.execPath, [fixturePath('manager/beside'), '"list"'], { encoding: 'utf8' }),
) as Record<Sort, string[]>;

/** What the child printed, and how it ended. */
async function endOf(child: Child): Promise<unknown> {
  const said = await child.hearAll();
  return { said, ...(await child.exit) };
}

const run = (beside: Beside) => endOf(start('manager/beside', [beside]));

const known = new Map<string, Promise<unknown>>();

/** How the program ends without the library. */
function usual({ program, when, inWorker }: Beside): Promise<unknown> {
  const beside = { program, when, inWorker } as Beside;
  const key = JSON.stringify(beside);
  const end = known.get(key) ?? run(beside);
  known.set(key, end);
  return end;
}

function namesOf(manager: string): string[] {
  return readdirSync('/dev/shm').filter((name) => name.includes(manager));
}

const whens = ['before', 'after'] as const;

function casesOf(sorts: Sort[], more: Partial<Beside>, wanted = /./): Beside[] {
  const wantedOnes = sorts.flatMap((sort) => programs[sort]).filter((each) => wanted.test(each));
  return wantedOnes.flatMap((program) => whens.map((when) => ({ program, when, ...more })));
}

/** For the other signals, only the most common cases. */
const chosen = /^SIG(TERM|INT),|, once$|removes itself$/;
/**
 * Leaves out what a listener in JavaScript cannot do, and cases that need not be tested for every signal.
 */
const unlessBun = /^SIGTERM,(?!.*blocks|.*uses it)|, once$/;
const cases = [
  ...casesOf(['ofSignals'], { how: 'create' }, chosen),
  ...casesOf(['ofSignals'], { how: 'create', isLikeBun: true }, unlessBun),
  ...casesOf(['exits', 'exitsOfMain'], { how: 'create' }),
  ...casesOf(['exits', 'exitsOfMain'], { how: 'open' }, /throws|really|an exit code|uses it$/),
];

// Names cannot be listed on other systems, so the test could not see what is left, and native code does not
// find it.
describe.runIf(onLinux)('who owns a manager ends as without one (names can be listed)', () => {
  it.each(cases)('$program, which begins $when ($how, like Bun: $isLikeBun)', async (beside) => {
    const name = uniqueName('app');
    const [end, expected] = await Promise.all([run({ ...beside, name }), usual(beside)]);
    expect(end).toEqual(expected);
    expect(namesOf(name)).toEqual([]);
  });

  // A process forked from Node 26 never gets through exit(), with or without this library.
  const isStuck = Number(process.versions.node.split('.')[0]) >= 26;
  it.skipIf(whyNoZygotes !== undefined || isStuck)(
    'and not when a process that it has forked exits',
    async () => {
      const name = uniqueName('app');
      const child = start('manager/forks', [compileForking(), name]);
      expect(await child.hearAll()).toEqual([ended(5), [1, 2]]);
      await child.succeed();
      expect(namesOf(name)).toEqual([]);
    },
  );

  it.each(programs.exitsOfMain.filter((each) => each.includes('while signals come')))(
    'as often as signals come at that moment: %s',
    async (program) => {
      for (let round = 0; round < 20; round++) {
        const name = uniqueName('app');
        const beside: Beside = { program, when: 'before', how: 'create', name };
        expect(await run(beside)).toEqual({ said: [], code: 5, signal: null });
        expect(namesOf(name)).toEqual([]);
      }
    },
  );

  it.each(casesOf(['aborts'], { how: 'create' }))(
    'also when it aborts, which leaves the names: $program, which begins $when',
    async (beside) => {
      const name = uniqueName('app');
      const [end, expected] = await Promise.all([run({ ...beside, name }), usual(beside)]);
      expect(end).toEqual(expected);
      Manager.create({ name }).shutdown();
      expect(namesOf(name)).toEqual([]);
    },
  );

  it.each(casesOf(['exits'], { how: 'create', inWorker: true }))(
    'in a worker: $program, which begins $when',
    async (beside) => {
      const name = uniqueName('app');
      const [end, expected] = await Promise.all([run({ ...beside, name }), usual(beside)]);
      expect(end).toEqual(expected);
      expect(namesOf(name)).toEqual([]);
    },
  );
});
