import { NamedBarrier, NamedLock, SharedArray } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { cases, parties, patience, type Party } from '../fixtures/conformance/barrier-cases';
import type { Form } from '../fixtures/conformance/forms';
import { start } from '../support/children';
import { temporary } from '../support/temporaries';

/** The forms of the children. The test itself is another party, and awaits. */
const children: Form[] = ['sync', 'async', 'sync', 'async'];

interface Run {
  barrier: NamedBarrier;
  results: SharedArray<'int32'>;
  /** What each party reported. */
  said: unknown[];
}

/** Runs a case with all parties, and then calls `look` to check what is left. */
async function run(
  name: keyof typeof cases,
  { timeout = patience, passes = 1 }: { timeout?: number; passes?: number },
  look: (run: Run) => void,
): Promise<void> {
  using results = temporary(SharedArray.create({ type: 'int32', length: 3 }));
  using barrier = temporary(
    NamedBarrier.create({
      parties,
      timeout,
      ...(name === 'action' && { action: () => void results.add(0, 1) }),
    }),
  );
  using other = temporary(NamedBarrier.create({ parties }));
  const others = children.map(async (form) => {
    const given = [name, form, barrier.name, other.name, results.name, timeout, passes];
    const child = start('conformance/barrier', given);
    const said = await child.hear();
    await child.succeed();
    return said;
  });
  const party: Party = { barrier, other, form: 'async', results, passes };
  look({ barrier, results, said: await Promise.all([cases[name](party), ...others]) });
}

/** One party came late on purpose. All others gave up. */
function expectOneLate({ barrier, said }: Run): void {
  expect(said).toHaveLength(parties);
  expect(said).toContain('late: ERR_BROKEN_BARRIER');
  const inTime = said.filter((how) => how !== 'late: ERR_BROKEN_BARRIER');
  expect(inTime).toHaveLength(parties - 1);
  expect(inTime, 'who breaks it knows why').toContain('ERR_TIMEOUT');
  const others = inTime.filter((how) => how !== 'ERR_TIMEOUT');
  expect(others).toEqual(others.map(() => 'ERR_BROKEN_BARRIER'));
  expect(barrier.broken).toBe(true);
}

describe('Barrier', () => {
  it('test_barrier: is passed in lockstep', async () => {
    await run('multipass', {}, ({ barrier, results }) => {
      expect([...results]).toEqual([parties, parties, 0]);
      expect([barrier.parties, barrier.waiting, barrier.broken]).toEqual([parties, 0, false]);
    });
  });

  it('test_barrier_10: is passed in lockstep ten times', async () => {
    await run('multipass', { passes: 10 }, ({ barrier, results }) => {
      expect([...results]).toEqual([10 * parties, 10 * parties, 0]);
      expect([barrier.waiting, barrier.broken]).toEqual([0, false]);
    });
  });

  it('test_wait_return: gives each party a number of its own, and one of them 0', async () => {
    await run('waitReturn', {}, ({ said }) => {
      expect([...said].sort()).toEqual([0, 1, 2, 3, 4]);
    });
  });

  it('test_action: runs the action once, before anybody goes on', async () => {
    await run('action', {}, ({ said, results }) => {
      expect(said).toEqual([1, 1, 1, 1, 1]);
      expect(results.at(0)).toBe(1);
    });
  });

  it('test_abort: lets nobody through once one has aborted it', async () => {
    await run('abort', {}, ({ barrier, results }) => {
      expect([...results]).toEqual([0, parties - 1, 0]);
      expect(barrier.broken).toBe(true);
    });
  });

  it('test_reset: frees who waits, and can be passed again at once', async () => {
    await run('reset', {}, ({ barrier, results }) => {
      expect([...results]).toEqual([0, parties - 1, parties]);
      expect(barrier.broken).toBe(false);
    });
  });

  it('test_abort_and_reset: can be passed again when it was reset after an abort', async () => {
    await run('abortAndReset', {}, ({ barrier, results }) => {
      expect([...results]).toEqual([0, parties - 1, parties]);
      expect(barrier.broken).toBe(false);
    });
  });

  it('test_timeout: is broken when one does not come in time', async () => {
    await run('timeout', {}, expectOneLate);
  });

  it('test_default_timeout: is broken when one does not come in the time given beforehand', async () => {
    await run('defaultTimeout', { timeout: 100 }, expectOneLate);
  });

  it('test_single_thread: holds nobody up who is the only party', async () => {
    using barrier = temporary(NamedBarrier.create({ parties: 1 }));
    expect([barrier.waitSync(), barrier.waitSync()]).toEqual([0, 0]);
    expect([await barrier.wait(), await barrier.wait()]).toEqual([0, 0]);
  });

  it('test_thousand: keeps five processes in step a thousand times', async () => {
    const passes = 1000;
    using barrier = temporary(NamedBarrier.create({ parties }));
    using lock = temporary(NamedLock.create());
    using log = temporary(SharedArray.create({ type: 'int32', length: 1 + passes * parties }));
    const all = [...children, 'sync' as const].map((form) =>
      start('conformance/thousand', [form, barrier.name, lock, log.name, passes]),
    );
    await Promise.all(all.map((child) => child.succeed()));
    const expected = Array.from({ length: passes * parties }, (_, n) => Math.floor(n / parties));
    expect([...log]).toEqual([passes * parties, ...expected]);
  });
});
