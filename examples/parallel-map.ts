/**
 * What Python's `Pool.map` and `imap_unordered` do, over the npm package workerpool: four processes look at the tiles of
 * an image. The tiles go to them through shared memory.
 *
 *     node -r ts-node/register examples/parallel-map.ts
 */
import { shared, sharing } from 'shmkit';
import workerpool from 'workerpool';

const workers = 4;
const tileBytes = 1 << 20;

/** From how many bytes on an array goes through shared memory. */
const from = 1 << 16;

interface Options {
  /** How many items a task has. Larger tasks cost less each, but are shared out less evenly. */
  readonly chunk: number;
  /** How many tasks are on their way at one time, so that there is memory for all. */
  readonly ahead: number;
}

/** The results, in the order in which they come. */
async function* imapUnordered<T, R>(
  run: (chunk: T[]) => Promise<R[]>,
  items: Iterable<T>,
  { chunk, ahead }: Options,
): AsyncGenerator<R> {
  const tasks = new Map<number, Promise<{ id: number; results: R[] }>>();
  let id = 0;
  for (const part of chunks(items, chunk)) {
    if (tasks.size >= ahead) yield* await next();
    const own = id++;
    tasks.set(
      own,
      run(part).then((results) => ({ id: own, results })),
    );
  }
  while (tasks.size > 0) yield* await next();

  async function next(): Promise<R[]> {
    const { id, results } = await Promise.race(tasks.values());
    tasks.delete(id);
    return results;
  }
}

/** The results, in the order of the items. */
async function map<T, R>(
  run: (chunk: T[]) => Promise<R[]>,
  items: Iterable<T>,
  options: Options,
): Promise<R[]> {
  const numbered = async (chunk: [number, T][]) => {
    const results = await run(chunk.map(([, item]) => item));
    return results.map((result, i) => [chunk[i]![0], result] as const);
  };
  const all: R[] = [];
  const entries = [...items].entries();
  for await (const [i, result] of imapUnordered(numbered, entries, options)) all[i] = result;
  return all;
}

function* chunks<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let part: T[] = [];
  for (const item of items) {
    part.push(item);
    if (part.length < size) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** Made one after the other, when a worker can take it. */
function* tiles(count: number): Generator<Float32Array> {
  for (let i = 0; i < count; i++) yield new Float32Array(tileBytes / 4).fill(i);
}

async function main(): Promise<void> {
  const pool = workerpool.pool(__filename, {
    workerType: 'process',
    maxWorkers: workers,
    forkArgs: ['worker'],
    forkOpts: { execArgv: process.execArgv }, // ts-node in the workers, too
  });
  try {
    const run = sharing(
      (part: Float32Array[]) => pool.exec('means', [part]) as unknown as Promise<number[]>,
      { from },
    );
    const options = { chunk: 4, ahead: 2 * workers };
    console.log(`means: ${(await map(run, tiles(12), options)).join(' ')}`);
    let sum = 0;
    for await (const mean of imapUnordered(run, tiles(100), options)) sum += mean;
    console.log(`sum of 100 means: ${sum}`);
  } finally {
    await pool.terminate(true);
  }
}

if (process.argv[2] === 'worker') {
  const mean = (tile: Float32Array) => tile.reduce((sum, each) => sum + each, 0) / tile.length;
  workerpool.worker({ means: shared((part: Float32Array[]) => part.map(mean), { from }) });
} else {
  void main();
}
