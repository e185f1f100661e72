/**
 * Measures the library and compares it with C, Python and Node itself: see README.md. A missed goal is
 * reported and is not an error. A program that fails is an error.
 */
import { parseArgs } from 'node:util';
import type { Name } from './contenders';
import { findTools, sample, type Tools } from './peers';
import { report, type Outcome } from './report';
import { rows } from './rows';
import type { Row } from './rows/row';
import { sweep } from './sweep';

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    process.exitCode = 130;
    interruption.abort(new Error(`interrupted by ${signal}`));
  });
}
process.on('exit', sweep);

async function main(): Promise<void> {
  const { only, repeat } = readOptions();
  const tools = findTools();
  for (const found of Object.values(tools)) {
    if ('missing' in found) console.error(`Left out: ${found.missing}`);
  }
  const outcomes: Outcome[] = [];
  for (const row of rows.filter(({ id, title }) => only.test(id) || only.test(title))) {
    outcomes.push({ row, samples: await measure(row, tools, repeat) });
  }
  report(outcomes, tools);
}

function readOptions(): { only: RegExp; repeat: number } {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      repeat: { type: 'string', default: '5' },
    },
  });
  const repeat = Number(values.repeat);
  if (!Number.isInteger(repeat) || repeat < 1) throw new RangeError('--repeat takes 1, 2, 3 …');
  return { only: new RegExp(values.only, 'i'), repeat };
}

/**
 * Runs round after round. In each round every contender has its turn, and each round begins with a
 * different contender. So other activity of the machine affects all of them alike.
 */
async function measure(row: Row, tools: Tools, rounds: number): Promise<Outcome['samples']> {
  const contenders = Object.entries(row.contenders).flatMap(([name, contender]) => {
    const found = tools[contender.tool];
    return 'missing' in found ? [] : [{ name: name as Name, contender, command: found.command }];
  });
  const samples = new Map(contenders.map(({ name }) => [name, [] as (number | null)[]]));
  for (let round = 0; round < rounds; round++) {
    showProgress(`${row.title}: round ${round + 1} of ${rounds}`);
    const first = round % contenders.length;
    for (const { name, contender, command } of [
      ...contenders.slice(first),
      ...contenders.slice(0, first),
    ]) {
      try {
        samples.get(name)?.push(await sample(command, contender, interruption.signal));
      } catch (error) {
        if (interruption.signal.aborted) throw error;
        console.error(`${row.title}, ${name}: ${String(error)}`);
        process.exitCode = 1;
        samples.get(name)?.push(null);
      }
    }
  }
  showProgress('');
  return samples;
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode ??= 1;
});
