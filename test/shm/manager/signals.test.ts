// How an owner of a manager ends by signals: in the same way as without a manager, and with nothing left.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Manager } from 'shmkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start, type Child } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onWindows } from '../../support/system';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/** Windows ends a process at once by a signal, and none of its code runs. */
const describeOnPosix = describe.skipIf(onWindows);

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'shmkit-signals-'));
  writeFileSync(path.join(directory, 'locked'), '');
  // Another copy of the package, with its own addon.
  const copy = path.join(directory, 'node_modules', 'shmkit');
  mkdirSync(path.join(copy, 'build', 'Release'), { recursive: true });
  cpSync('package.json', path.join(copy, 'package.json'));
  cpSync('dist', path.join(copy, 'dist'), { recursive: true });
  const addon = path.join('build', 'Release', 'shmkit.node');
  cpSync(addon, path.join(copy, addon));
  for (const needed of ['msgpackr', 'node-gyp-build']) {
    const target = path.join(directory, 'node_modules', needed);
    cpSync(path.join('node_modules', needed), target, { recursive: true });
  }
});

afterAll(() => rmSync(directory, { recursive: true }));

function expectNothingLeft(name: string): void {
  for (const each of [name, `${name}-2`]) {
    expectCode(() => Manager.attach(each), 'ENOENT', 'there is none');
  }
}

async function startOwner(
  others: string[],
  when: 'before' | 'after',
  under: string[] = [],
): Promise<{ name: string; owner: Child }> {
  const name = uniqueName('app');
  const env = {
    TEST_COPY: path.join(directory, 'node_modules', 'shmkit'),
    TEST_LOCKED: path.join(directory, 'locked'),
  };
  const owner = start('manager/signalled', [name, others, when], { env, under });
  expect(await owner.hear()).toBe('owns');
  return { name, owner };
}

describeOnPosix('an owner that gets a signal', () => {
  it.each(signals)('ends by %s', async (signal) => {
    const { name, owner } = await startOwner([], 'after');
    expect(await owner.kill(signal)).toEqual({ code: null, signal });
    expectNothingLeft(name);
  });

  const cleaners = [
    ['signal-exit 3'],
    ['signal-exit 4'],
    ['proper-lockfile'],
    ['another copy'],
    ['signal-exit 3', 'signal-exit 4', 'another copy'],
  ];
  const times = ['before', 'after'] as const;
  const cases = cleaners.flatMap((others) => times.map((when) => ({ others, when })));

  it.each(cases)('ends beside $others that began $when it', async ({ others, when }) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const { name, owner } = await startOwner(others, when);
      owner.process.kill(signal);
      // The work that they were given is done.
      const said = others.filter((other) => other.startsWith('signal-exit'));
      const heard = await Promise.all(said.map(() => owner.hear()));
      expect(heard.sort()).toEqual(said.map((other) => `${other} cleans up`));
      expect(await owner.exit).toEqual({ code: null, signal });
      expectNothingLeft(name);
    }
  });

  it.each(times)('lives on when an application that began %s it says so', async (when) => {
    const { name, owner } = await startOwner(['an application that stays'], when);
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGTERM']) {
      owner.process.kill(signal as NodeJS.Signals);
      expect(await owner.hear()).toBe(`the application heard ${signal}`);
      Manager.attach(name).close();
    }
    // The owner does not listen for this signal.
    expect(await owner.kill('SIGQUIT')).toEqual({ code: null, signal: 'SIGQUIT' });
    expectNothingLeft(name);
  });

  it.each(times)('exits as an application that began %s it does', async (when) => {
    const { name, owner } = await startOwner(['signal-exit 4', 'an application that exits'], when);
    expect(await owner.kill('SIGTERM')).toEqual({ code: 7, signal: null });
    expectNothingLeft(name);
  });
});

const asFirst = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const canBeFirst =
  process.platform === 'linux' &&
  spawnSync(asFirst[0]!, [...asFirst.slice(1), 'true']).status === 0;

describe.runIf(canBeFirst)('an owner that is PID 1 (needs unshare --pid, so root)', () => {
  it.each([
    ['SIGTERM', 143, []],
    ['SIGINT', 130, []],
    ['SIGHUP', 129, ['signal-exit 3']],
    ['SIGTERM', 143, ['signal-exit 4']],
  ] as const)('exits when it gets %s', async (signal, code, others) => {
    const { name, owner } = await startOwner([...others], 'after', asFirst);
    const { pid } = owner.process;
    const first = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    process.kill(Number(first), signal);
    expect(await owner.exit).toEqual({ code, signal: null });
    expectNothingLeft(name);
  });
});
