import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { NamedLock, SharedMemory, SharedMemoryError } from 'shmkit';
import { Board } from './board';
import { isText, layText, type TextFile } from './corpus';
import { Crew } from './crew';
import { namesOf, State } from './layout';
import { countWords } from './tokenize';
import { WordTable } from './word-table';

export interface TogetherOptions {
  readonly workers: number;
  /** Kill one of them while it is inside the critical section. */
  readonly killOne: boolean;
  readonly signal: AbortSignal;
  readonly onLaid: (files: number, bytes: number, chunks: number, milliseconds: number) => void;
  readonly onProgress: (chunksDone: number, chunks: number) => void;
}

/** The result of a count. */
export interface Count {
  readonly table: WordTable;
  readonly bytes: number;
  readonly milliseconds: number;
}

export interface CountTogether extends Count {
  /** The time in which the parent adds up the counts of the chunks. It is not part of `milliseconds`. */
  readonly mergeMilliseconds: number;
  readonly members: readonly MemberReport[];
  /** The seat of the worker that was killed. */
  readonly killed: number | undefined;
}

export interface MemberReport {
  readonly seat: number;
  readonly pid: number;
  readonly kind: string;
  /** How many chunks the worker counted. */
  readonly chunks: number;
  readonly bytes: number;
  /** The seat of the dead worker, if `abandoned` told this worker of one. */
  readonly heirOf: number | undefined;
  /** How many of the dead worker's claims it dropped. */
  readonly dropped: number;
}

/** Lets worker processes count the words of files in shared memory, and removes all objects at the end. */
export async function countTogether(
  files: readonly TextFile[],
  options: TogetherOptions,
): Promise<CountTogether> {
  // A short name, because some systems allow only about 30 bytes.
  const name = `wc-${randomBytes(4).toString('hex')}`;
  try {
    return await conduct(name, files, options);
  } finally {
    removeAll(name, options.workers);
  }
}

/** The same count by this process alone, from the files themselves. Only the counting is timed. */
export async function countAlone(files: readonly TextFile[], signal: AbortSignal): Promise<Count> {
  const table = new WordTable();
  let [bytes, milliseconds] = [0, 0];
  for (const file of files) {
    const text = fs.readFileSync(file.path);
    if (!isText(text)) continue;
    const start = performance.now();
    countWords(text, table);
    milliseconds += performance.now() - start;
    bytes += text.length + 1;
    // Gives a signal the chance to be handled.
    await nextTurn();
    signal.throwIfAborted();
  }
  return { table, bytes, milliseconds };
}

async function conduct(
  name: string,
  files: readonly TextFile[],
  { workers, killOne, signal, onLaid, onProgress }: TogetherOptions,
): Promise<CountTogether> {
  const { segments, locks, worker } = namesOf(name);

  // The parent creates everything and the workers only attach, so that the parent knows what to remove.
  const laying = performance.now();
  const { segment, chunks, bytes, files: texts } = await layText(segments.text, files, signal);
  using _text = segment;
  onLaid(texts, bytes, chunks.length, performance.now() - laying);

  using board = Board.create(segments.board, workers, chunks);
  if (killOne) board.setTrap(Math.floor(chunks.length / 2));

  // The counts of a chunk take at most 4/3 of its bytes (word-table.ts). Every worker can die once, and
  // then leaves the room for one chunk unused. Memory that is not touched is not allocated.
  const largest = Math.max(...chunks.map((chunk) => chunk.bytes));
  const size = Math.ceil((4 / 3) * (bytes + workers * largest));
  using results = SharedMemory.create({ name: segments.results, size, sparse: true });

  using _guard = NamedLock.create({ name: locks.board });
  for (let seat = 0; seat < workers; seat++) NamedLock.create({ name: worker(seat) }).close();
  using parent = NamedLock.create({ name: locks.parent });
  using _life = parent.acquireSync();
  using gate = NamedLock.create({ name: locks.gate });
  using shut = gate.acquireSync();

  const crew = new Crew();
  let [opened, killed]: (number | undefined)[] = [];
  try {
    crew.start(workers, name);
    const finished = crew.finished().then(() => true);
    for (let over = false; !over;) {
      over = await Promise.race([finished, sleep(50, false, { signal })]);
      onProgress(board.chunksDone, chunks.length);
      if (opened === undefined && board.joined === workers) {
        opened = performance.now();
        shut.release();
      }
      if (killed === undefined && board.trapped !== undefined) {
        killed = board.trapped;
        crew.kill(board.seats[killed]!.pid);
      }
    }
  } finally {
    await crew.dismiss();
  }
  const counted = performance.now();

  const table = new WordTable();
  for (const chunk of board.chunks) {
    if (chunk.state !== State.done) throw new Error(`chunk ${chunk.index} was left uncounted`);
    table.addEncoded(results.array('uint8', chunk.result.start, chunk.result.bytes));
  }
  const members = board.seats.map(({ index: seat, pid, heirOf, dropped }): MemberReport => {
    const own = board.chunks.filter(({ owner }) => owner === seat);
    const ownBytes = own.reduce((sum, { textBytes }) => sum + textBytes, 0);
    const kind = crew.kindOf(pid);
    return { seat, pid, kind, chunks: own.length, bytes: ownBytes, heirOf, dropped };
  });
  return {
    table,
    bytes,
    milliseconds: counted - (opened ?? counted),
    mergeMilliseconds: performance.now() - counted,
    members,
    killed,
  };
}

/** Removes every name that may exist, however far their creation got. */
function removeAll(name: string, workers: number): void {
  const { segments, locks, worker } = namesOf(name);
  const lives = Array.from({ length: workers }, (_, seat) => worker(seat));
  for (const segment of Object.values(segments)) removed(() => SharedMemory.unlink(segment));
  for (const lock of [...Object.values(locks), ...lives]) removed(() => NamedLock.unlink(lock));
}

function removed(unlink: () => void): void {
  try {
    unlink();
  } catch (error) {
    if (!(error instanceof SharedMemoryError && error.code === 'ENOENT')) throw error;
  }
}
