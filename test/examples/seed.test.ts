// Runs the small examples in the way a reader runs them.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { onLinux, onWindows } from '../support/system';

/** On Windows, programs of npm packages cannot be started without a shell. */
const commands = {
  'ts-node': [path.resolve('node_modules', '.bin', 'ts-node')],
  'node -r ts-node/register': [process.execPath, '-r', 'ts-node/register'],
};
/** One example with fork and one with cluster. The others use these in the same way. */
const byEither = ['shared-counter', 'rate-limit'];

const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
/** It has binaries for some systems and processors only. */
const hasSharp = spawnSync(process.execPath, ['-e', 'require("sharp")']).status === 0;

interface Run {
  readonly code: number | null;
  readonly output: string;
  readonly complaints: string;
}

function begin(command: readonly string[], example: string): ChildProcess {
  return spawn(command[0]!, [...command.slice(1), path.join('examples', `${example}.ts`)], {
    // The types are checked with all others. Otherwise each process of an example would check them.
    env: { ...process.env, TS_NODE_TRANSPILE_ONLY: 'true' },
  });
}

async function end(program: ChildProcess): Promise<Run> {
  const [output, complaints, [code]] = await Promise.all([
    text(program.stdout!),
    text(program.stderr!),
    once(program, 'close') as Promise<[number | null]>,
  ]);
  return { code, output, complaints };
}

interface Example {
  readonly name: string;
  readonly expected: RegExp;
  /** What the example needs. If that is missing, it is skipped. */
  /** It goes on when a child of it is killed. */
  readonly survives?: boolean;
  readonly needs?: { readonly what: string; readonly isThere: boolean };
}

const examples: Example[] = [
  {
    name: 'shared-counter',
    expected: /^locked: 4 processes counted to 40000\nlock-free: 4 processes counted to 40000\n$/,
  },
  { name: 'safe-increment', expected: /^4 processes, 1000 increments each: 4000\n$/ },
  { name: 'array-handoff', expected: /^\[11,12,13,14\]\n$/ },
  {
    name: 'starting-gun',
    expected: /^4 runners are ready\n(runner [1-4] started \d+\.\d\d ms after the gun\n){4}$/,
  },
  {
    name: 'shared-cache',
    expected: /^5 workers asked 50 times\n10 results were computed 10 times in all\n$/,
  },
  {
    name: 'parallel-map',
    expected: /^means: 0 1 2 3 4 5 6 7 8 9 10 11\nsum of 100 means: 4950\n$/,
  },
  {
    name: 'work-queue',
    expected: /^24 of 24 jobs are done, and 4 workers were killed\n$/,
    survives: true,
  },
  {
    name: 'image-pipeline',
    // Each frame counts twice: decoded, and blurred.
    expected:
      /^6 of 6 frames are right\nsent between processes: 2\d{3} bytes, and not sent: 2[23]\d{6} bytes\n$/,
    needs: { what: 'sharp', isThere: hasSharp },
  },
  {
    name: 'arrow',
    expected: new RegExp(
      '^4 of 4 processes read the table in place: sum 523737264\n' +
        `its memory in all of them together: ${onLinux ? String.raw`(0\.9[5-9]|1\.0\d) times its size` : '.*'}\n$`,
    ),
  },
  { name: 'log-count', expected: /^debug: 6000\ninfo: 8000\nwarn: 4000\nerror: 2000\n$/ },
  {
    name: 'rate-limit',
    expected: /^1000 requests: 100 served, 900 refused\nrendered 1 time\n$/,
  },
  {
    name: 'python/main',
    expected: new RegExp(
      '^before: 0.000 … 500000.000 … 1000000.000\n' +
        'python3 scaled 1000001 numbers in place\n' +
        'after: -1.732 … 0.000 … 1.732\n$',
    ),
    needs: { what: 'python3 with numpy', isThere: hasNumpy },
  },
];

for (const { name, expected, needs, survives } of examples) {
  const without = needs ? ` (skipped where there is no ${needs.what})` : '';
  describe.runIf(needs?.isThere ?? true)(`the example ${name}${without}`, () => {
    const ways = Object.entries(commands).filter(
      ([way]) => way !== 'ts-node' || (!onWindows && byEither.includes(name)),
    );
    it.each(ways)('prints its result by %s', async (_, command) => {
      const { code, output, complaints } = await end(begin(command, name));
      expect(complaints).toBe('');
      expect(output).toMatch(expected);
      expect(code).toBe(0);
    });

    // A check around every test ensures that the example leaves nothing in /dev/shm.
    it.runIf(onLinux && !survives)(
      'cleans up, and fails, when a child of it is killed',
      async () => {
        const program = begin(commands['node -r ts-node/register'], name);
        const run = end(program);
        process.kill(await firstChildOf(program), 'SIGKILL');
        const { code, complaints } = await run;
        expect(code).toBe(1);
        // The child may die before anything can be sent to it.
        expect(complaints).toMatch(/ended by SIGKILL|signalCode: `SIGKILL`|write EPIPE/);
      },
    );
  });
}

/** The id of the first process that a program starts. Fails if the program ends without starting one. */
async function firstChildOf({ pid }: ChildProcess): Promise<number> {
  for (;;) {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    if (children !== '') return Number.parseInt(children);
    await delay(1);
  }
}
