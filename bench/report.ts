import { writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import Table from 'cli-table3';
import { median, medianAbsoluteDeviation } from 'simple-statistics';
import { outDirectory, type Name } from './contenders';
import { duration, type Goal } from './goals';
import type { Tools } from './peers';
import type { Row } from './rows/row';

/** Nanoseconds, one value for each round. null in a round in which the contender failed. */
export type Samples = readonly (number | null)[];

/** A row with what was measured. */
export interface Outcome {
  readonly row: Row;
  readonly samples: ReadonlyMap<Name, Samples>;
}

interface Verdict {
  readonly goal: Goal;
  /** Computed from the medians. null where one of the two is missing. */
  readonly figure: number | null;
  /** The figure of each single round. */
  readonly rounds: readonly number[];
}

/** Prints the table for people, and writes out/bench/results.json for programs. */
export function report(outcomes: readonly Outcome[], tools: Tools): void {
  const table = new Table({
    head: ['measure', 'shmkit', 'C', 'others', 'figure (rounds)', 'goal', 'met (rounds)'],
    style: { head: [], border: [] },
  });
  for (const outcome of outcomes) table.push(lineOf(outcome));
  console.log(table.toString());
  const file = path.join(outDirectory, 'results.json');
  writeFileSync(file, JSON.stringify(dataOf(outcomes, tools), null, 2) + '\n');
  console.log(
    `Medians ± median absolute deviation. ${path.relative(process.cwd(), file)} has it all.`,
  );
}

function lineOf({ row, samples }: Outcome): string[] {
  const others = [...samples].filter(([name]) => name !== 'shmkit' && name !== 'C');
  const verdicts = row.goals.map((goal) => judge(goal, samples));
  return [
    row.title,
    cell(samples.get('shmkit')),
    cell(samples.get('C')),
    others.map(([name, values]) => `${name} ${cell(values)}`).join('\n'),
    verdicts.map(showFigure).join('\n'),
    verdicts.map(({ goal }) => goal.text).join('\n'),
    verdicts.map(showMet).join('\n'),
  ];
}

function judge(goal: Goal, samples: Outcome['samples']): Verdict {
  const ours = samples.get('shmkit') ?? [];
  // A goal without an opponent is about our own time only.
  const theirs = goal.against === undefined ? ours.map(() => 0) : (samples.get(goal.against) ?? []);
  const rounds = ours.flatMap((our, round) => {
    const their = theirs[round] ?? null;
    return our === null || their === null ? [] : [goal.figure(our, their)];
  });
  const measured = rounds.length > 0;
  return {
    goal,
    figure: measured ? goal.figure(median(present(ours)), median(present(theirs))) : null,
    rounds,
  };
}

function showFigure({ goal, figure, rounds }: Verdict): string {
  if (figure === null) return 'not measured';
  const range = [Math.min(...rounds), Math.max(...rounds)].map((value) => goal.show(value));
  return rounds.length < 2 ? goal.show(figure) : `${goal.show(figure)} (${range.join(' … ')})`;
}

function showMet({ goal, figure, rounds }: Verdict): string {
  if (!goal.met) return '';
  if (figure === null) return '?';
  const well = rounds.filter((value) => goal.met?.(value)).length;
  return `${goal.met(figure) ? 'yes' : 'NO'} (${well} of ${rounds.length})`;
}

function cell(samples: Samples | undefined): string {
  if (samples === undefined) return '';
  const values = present(samples);
  if (values.length === 0) return 'failed';
  const { middle, deviation } = centre(values);
  return `${duration(middle)} ± ${Math.round((100 * deviation) / middle)} %`;
}

function present(samples: Samples): number[] {
  return samples.filter((value) => value !== null);
}

function centre(values: number[]) {
  return { middle: median(values), deviation: medianAbsoluteDeviation(values) };
}

function dataOf(outcomes: readonly Outcome[], tools: Tools) {
  return {
    date: new Date().toISOString(),
    machine: {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cpus: os.cpus().length,
      memoryBytes: os.totalmem(),
      system: `${os.type()} ${os.release()} ${os.arch()}`,
      loadAverages: os.loadavg(),
    },
    tools,
    rows: outcomes.map(({ row, samples }) => ({
      id: row.id,
      title: row.title,
      measured: Object.fromEntries(
        [...samples].map(([name, values]) => [name, { ...summary(values), samplesNs: values }]),
      ),
      goals: row.goals.map((goal) => {
        const { figure, rounds } = judge(goal, samples);
        const met = figure === null || !goal.met ? null : goal.met(figure);
        return { text: goal.text, against: goal.against ?? null, figure, rounds, met };
      }),
    })),
  };
}

function summary(samples: Samples) {
  const values = present(samples);
  if (values.length === 0) return { medianNs: null, deviationNs: null };
  const { middle, deviation } = centre(values);
  return { medianNs: middle, deviationNs: deviation };
}
