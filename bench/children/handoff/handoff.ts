// handoff <way> <what> <count> <workers>: a new array of so many bytes is made and filled, or so many records are made
// ("100000 records"). It goes to some workers, each of which sums it up and answers. Prints the median of the nanoseconds
// that all of this takes.
import { SharedObject, sharing, type SharedObjectDraft } from 'shmkit';
import { Worker as JestWorker } from 'jest-worker';
import { median } from 'simple-statistics';
import workerpool from 'workerpool';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, nameOf, now, report } from '../support';
import type { Numbers, Row } from './sum';
import type { Message } from './worker';

/** A way to a worker. */
interface Way {
  /** Makes the array, if it is not an ordinary one. */
  make?(length: number): Float64Array;
  readonly sum: (numbers: Float64Array) => Promise<number>;
  readonly end: () => Promise<unknown>;
}

const [name = '', what = '', times, workers = '1'] = process.argv.slice(2);
const count = Number(workers);

/** Asks all workers at once. All of them have the same answer. */
async function askEach(all: readonly (() => Promise<number>)[]): Promise<number> {
  const [first = NaN, ...others] = await Promise.all(all.map((ask) => ask()));
  for (const other of others) expect('the sum of another', other, first);
  return first;
}

const several = <T>(make: () => T): T[] => Array.from({ length: count }, make);

const program = path.join(__dirname, 'worker.js');

function forked(serialization: 'advanced' | 'json') {
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
  const children = several(() => fork(program, { serialization, stdio: [...stdio] }));
  return {
    ask: (message: Message): Promise<number> =>
      askEach(
        children.map((child) => async () => {
          child.send(message);
          return ((await once(child, 'message')) as [number])[0];
        }),
      ),
    end: () =>
      Promise.all(
        children.map((child) => {
          child.disconnect();
          return once(child, 'exit');
        }),
      ),
  };
}

function threads() {
  const all = several(() => new Worker(program));
  return {
    ask: (message: Message, transferred: ArrayBuffer[] = []): Promise<number> =>
      askEach(
        all.map((worker) => async () => {
          worker.postMessage(message, transferred);
          return ((await once(worker, 'message')) as [number])[0];
        }),
      ),
    end: () => Promise.all(all.map((worker) => worker.terminate())),
  };
}

function pool() {
  const forkOpts = { serialization: 'advanced' as const };
  return workerpool.pool(path.join(__dirname, 'pool-worker.js'), {
    maxWorkers: 1,
    workerType: 'process',
    forkOpts,
  });
}

/** Hands an object to a worker, and closes it. */
async function sumOf(
  object: SharedObject<Float64Array>,
  ask: (message: Message) => Promise<number>,
): Promise<number> {
  const sum = await ask({ object: object.toJSON() });
  object.close();
  return sum;
}

const ways: Record<string, () => Way> = {
  object() {
    const { ask, end } = forked('json');
    return {
      sum: (from) => sumOf(SharedObject.create({ from }), ask),
      end,
    };
  },
  sealed() {
    const { ask, end } = forked('json');
    let draft: SharedObjectDraft;
    return {
      make(length) {
        draft = SharedObject.allocate({ size: 8 * length });
        return new Float64Array(draft.buffer);
      },
      sum: (numbers) => sumOf(draft.seal(numbers), ask),
      end,
    };
  },
  again() {
    const { ask, end } = forked('json');
    let object: SharedObject<Float64Array> | undefined;
    return {
      // One and the same object each time: what it costs to hand a value to one more worker.
      sum(from) {
        object ??= SharedObject.create({ from });
        return ask({ object: object.toJSON() });
      },
      end() {
        object?.close();
        return end();
      },
    };
  },
  sharing() {
    const workers = pool();
    const sum = sharing((numbers: Float64Array) => workers.exec('sharedSum', [numbers]), {
      from: 4096,
    });
    return { sum: sum as Way['sum'], end: async () => workers.terminate() };
  },
  sent() {
    const { ask, end } = forked('advanced');
    return { sum: (numbers) => ask({ numbers }), end };
  },
  json() {
    const { ask, end } = forked('json');
    return {
      sum: (numbers) => ask({ numbers: ArrayBuffer.isView(numbers) ? [...numbers] : numbers }),
      end,
    };
  },
  workerpool() {
    const workers = pool();
    return {
      sum: async (numbers) => (await workers.exec('sum', [numbers])) as number,
      end: async () => workers.terminate(),
    };
  },
  'jest-worker'() {
    const forkOptions = { serialization: 'advanced' as const };
    const file = path.join(__dirname, 'sum.js');
    const workers = new JestWorker(file, { exposedMethods: ['sum'], numWorkers: 1, forkOptions });
    const { sum } = workers as unknown as { sum: Way['sum'] };
    return { sum, end: () => workers.end() };
  },
  posted() {
    const { ask, end } = threads();
    return { sum: (numbers) => ask({ numbers }), end };
  },
  transferred() {
    const { ask, end } = threads();
    return { sum: (numbers) => ask({ numbers }, [numbers.buffer as ArrayBuffer]), end };
  },
  shared() {
    const { ask, end } = threads();
    return {
      make: (length) => new Float64Array(new SharedArrayBuffer(8 * length)),
      sum: (numbers) => ask({ numbers }),
      end,
    };
  },
  file() {
    const { ask, end } = forked('json');
    const file = path.join(tmpdir(), nameOf('handoff'));
    return {
      sum(numbers) {
        writeFileSync(file, new Uint8Array(numbers.buffer));
        return ask({ file });
      },
      end() {
        rmSync(file, { force: true });
        return end();
      },
    };
  },
};

const filled = (length: number, filling: number, way: Way) =>
  (way.make?.(length) ?? new Float64Array(length)).fill(filling);

/** Objects as they come out of a database. */
const records = (length: number, filling: number): Row[] =>
  Array.from({ length }, (_, id) => ({
    id,
    name: `customer ${id}`,
    active: id % 3 === 0,
    tags: ['new', 'north'],
    price: filling,
  }));

async function main(): Promise<void> {
  const [, size = 0] = /^(\d+)/.exec(what) ?? [];
  const areRecords = what.endsWith('records');
  const length = areRecords ? Number(size) : Number(size) / Float64Array.BYTES_PER_ELEMENT;
  const way = ways[name]!();
  const spans: number[] = [];
  const rounds = Number(times);
  let last: Numbers | undefined;
  for (let round = 0; round < rounds + Math.ceil(rounds / 10); round++) {
    const filling = name === 'again' ? 1 : round + 1;
    const start = now();
    if (name !== 'again' || round === 0) {
      last = areRecords ? records(length, filling) : filled(length, filling, way);
    }
    const sum = await way.sum(last as Float64Array);
    const span = Number(now() - start);
    if (round >= Math.ceil(rounds / 10)) spans.push(span);
    expect('the sum', sum, filling * length);
  }
  await way.end();
  report(median(spans));
}

void main();
