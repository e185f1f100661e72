// Runs in gVisor, which has no unnamed files and no locks of open file descriptions.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { fixturePath } from '../../support/children';
import { onLinux } from '../../support/system';

const options = ['--ignore-cgroups', '--network=none', 'do'];
const log = path.resolve('out', 'gvisor.log');

/**
 * Returns what a program prints in a sandbox. The output goes to a file, because runsc may lose output to a
 * pipe.
 */
function inSandbox(...command: string[]): { status: number | null; printed: string } {
  mkdirSync(path.dirname(log), { recursive: true });
  const output = openSync(log, 'w');
  const { status } = spawnSync('runsc', [...options, ...command], {
    stdio: ['ignore', output, output],
    timeout: 240_000,
  });
  closeSync(output);
  return { status, printed: readFileSync(log, 'utf8') };
}

const whyNot = ((): string | undefined => {
  if (!onLinux) return 'needs Linux';
  const { status, printed } = inSandbox('/bin/echo', 'inside');
  return status === 0 && printed.includes('inside') ? undefined : 'needs runsc, and root';
})();

describe.skipIf(whyNot)(`gVisor (${whyNot ?? 'runsc'})`, () => {
  it('has all kinds, and hands on what a killed process had', () => {
    const { printed } = inSandbox(process.execPath, fixturePath('surroundings/sandboxed'));
    const said = printed
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): unknown => JSON.parse(line));
    expect(said, printed).toEqual([
      { took: 'a job', isHeld: true, abandoned: true, again: 'a job' },
      {
        stored: { answer: 42 },
        kinds: expect.arrayContaining(['lock', 'semaphore', 'queue']) as unknown,
      },
    ]);
  });
});
