import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import type { Count, CountTogether } from './count';

/** A progress bar when stdout is a terminal. Otherwise, a line at every quarter. */
export class Progress {
  readonly #bar = process.stdout.isTTY
    ? new SingleBar({
        format: '  {bar} {value}/{total} chunks',
        barCompleteChar: '█',
        barIncompleteChar: '░',
        stream: process.stdout,
      })
    : undefined;
  #quarters = 0;
  #started = false;

  readonly update = (done: number, total: number): void => {
    if (this.#bar) {
      if (!this.#started) this.#bar.start(total, done);
      this.#bar.update(done);
    } else {
      const quarters = Math.floor((4 * done) / total);
      if (quarters > this.#quarters) console.log(`  ${done}/${total} chunks`);
      this.#quarters = quarters;
    }
    this.#started = true;
  };

  /** Restores the terminal. */
  [Symbol.dispose](): void {
    this.#bar?.stop();
  }
}

export function printTop(count: Count, most: number): void {
  const table = newTable(['word', 'times', 'of all']);
  for (const { word, count: times } of count.table.top(most)) {
    table.push([word, number(times), `${((100 * times) / count.table.total).toFixed(2)} %`]);
  }
  console.log(table.toString());
}

export function printMembers({ members, killed }: CountTogether): void {
  const table = newTable(['worker', 'process', 'chunks', 'MB']);
  for (const { seat, pid, kind, chunks, bytes } of members) {
    const fate = seat === killed ? ', killed' : '';
    table.push([seat, `${pid}, ${kind}${fate}`, chunks, megabytes(bytes)]);
  }
  console.log(table.toString());
}

export function printSpeed(who: string, { bytes, table, milliseconds }: Count): void {
  const seconds = milliseconds / 1000;
  console.log(
    `${who}: ${number(table.total)} words, ${number(table.size)} different, in ` +
      `${seconds.toFixed(2)} s: ${number(bytes / 1e6 / seconds)} MB/s, ` +
      `${(table.total / 1e6 / seconds).toFixed(1)} million words/s`,
  );
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function newTable(head: string[]): Table.Table {
  const colAligns = head.map((title) => (/^(word|process)$/.test(title) ? 'left' : 'right'));
  return new Table({ head, colAligns, style: { head: [], border: [], compact: true } });
}
