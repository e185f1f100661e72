/**
 * Counts the words of all texts below node_modules, with worker processes that share only memory and locks.
 * Then counts once more, and kills one worker at the worst moment.
 *
 *     npm run demo             four workers
 *     npm run demo -- 8        eight
 */
import { constants, cpus } from 'node:os';
import path from 'node:path';
import { countAlone, countTogether, type Count, type CountTogether } from './count';
import { findFiles, type TextFile } from './corpus';
import { Interrupted } from './crew';
import { megabytes, number, printMembers, printSpeed, printTop, Progress } from './report';

const directory = path.join(__dirname, '..', '..', 'node_modules');
const mostWorkers = 64;

async function main(workers: number, signal: AbortSignal): Promise<void> {
  const files = findFiles(directory);
  if (files.length === 0) throw new Error(`there are no text files below ${directory}`);

  console.log(`\n1. ${workers} processes count the words of ${path.relative('.', directory)}\n`);
  const together = await count(files, workers, false, signal);
  printTop(together, 15);
  printMembers(together);
  printSpeed(`${workers} processes on ${cpus().length} cores`, together);
  console.log(`adding up their counts: ${number(together.mergeMilliseconds)} ms`);
  const alone = await countAlone(files, signal);
  printSpeed('one process, from the files', alone);
  check(together, alone);

  console.log(`\n2. The same, and one is killed inside the critical section\n`);
  const bereaved = await count(files, workers, true, signal);
  printMembers(bereaved);
  const { killed, members } = bereaved;
  const heir = members.find(({ heirOf }) => heirOf !== undefined);
  if (killed === undefined || heir?.heirOf !== killed) {
    throw new Error('nobody was killed, or nobody was told');
  }
  console.log(`worker ${killed} (${members[killed]!.pid}) was killed by SIGKILL, holding the lock`);
  console.log(
    `worker ${heir.seat} (${heir.pid}) got the lock next, was told abandoned, and dropped ` +
      `${heir.dropped} torn claim`,
  );
  check(bereaved, alone);
}

async function count(
  files: readonly TextFile[],
  workers: number,
  killOne: boolean,
  signal: AbortSignal,
): Promise<CountTogether> {
  using progress = new Progress();
  const onLaid = (texts: number, bytes: number, chunks: number, milliseconds: number) => {
    console.log(
      `${number(texts)} files, ${megabytes(bytes)} MB, laid into shared memory in ` +
        `${chunks} chunks in ${number(milliseconds)} ms`,
    );
  };
  return await countTogether(files, {
    workers,
    killOne,
    signal,
    onLaid,
    onProgress: progress.update,
  });
}

function check(together: Count, alone: Count): void {
  if (!together.table.equals(alone.table)) throw new Error('check: the counts differ');
  console.log('check: equal');
}

/**
 * Whatever ends the demo early, a signal or an uncaught error, is handled in the same way: it aborts the
 * current work, and the abort removes what the work created.
 */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort(new Interrupted(name)));
  }
  process.on('uncaughtException', (error) => controller.abort(error));
  return controller.signal;
}

function end(error: unknown): void {
  if (error instanceof Interrupted) {
    console.error(`\n${error.message}`);
    process.exitCode = 128 + constants.signals[error.signal];
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}

const workers = Number(process.argv[2] ?? 4);
if (!Number.isInteger(workers) || workers < 2 || workers > mostWorkers) {
  throw new RangeError(`usage: main [number of workers, 2 to ${mostWorkers}]`);
}
const signal = interruption();
main(workers, signal).catch((error: unknown) => end(signal.aborted ? signal.reason : error));
