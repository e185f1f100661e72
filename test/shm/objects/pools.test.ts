// sharing() and shared() with the pools that people use: what comes through, and that nothing is left however a task
// and its worker end.
import { fork, type ChildProcess } from 'node:child_process';
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import { once } from 'node:events';
import { Worker as JestWorker } from 'jest-worker';
import { Piscina } from 'piscina';
import { SharedMemory, SharedObject, sharing } from 'shmkit';
import { Tinypool } from 'tinypool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import workerpool from 'workerpool';
import { freeBytes } from '../../fixtures/memory/free';
import { from } from '../../fixtures/objects/tasks';
import { fixturePath } from '../../support/children';
import { onLinux } from '../../support/system';
import { until } from '../../support/temporaries';

interface Task {
  readonly image: Float64Array;
}

interface Pool {
  run(name: string, task: Task, signal?: AbortSignal): Promise<unknown>;
  end(): unknown;
  /** Whether it ends a task that does not end by itself. */
  readonly aborts: boolean;
  /** Whether it settles a task whose worker dies. */
  readonly notices: boolean;
}

const filename = fixturePath('objects/tasks');

function ofWorkerpool(workerType: 'process' | 'thread'): Pool {
  const pool = workerpool.pool(fixturePath('objects/workerpool'), {
    workerType,
    maxWorkers: 1,
    forkOpts: { execArgv: [] },
  });
  return {
    run: async (name, task, signal) => {
      const running = pool.exec(name, [task]);
      signal?.addEventListener('abort', () => void running.cancel());
      return running as Promise<unknown>;
    },
    end: () => pool.terminate(true),
    aborts: true,
    notices: true,
  };
}

function ofTinypool(runtime: 'child_process' | 'worker_threads'): Pool {
  const pool = new Tinypool({ filename, runtime, minThreads: 1, maxThreads: 1 });
  return {
    run: (name, task, signal) => pool.run(task, { name, ...(signal && { signal }) }),
    end: () => pool.destroy(),
    // Its child processes do not end when a task is aborted.
    aborts: runtime === 'worker_threads',
    notices: runtime === 'child_process',
  };
}

function ofPiscina(): Pool {
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  return {
    run: (name, task, signal) => pool.run(task, { name, ...(signal && { signal }) }),
    end: () => pool.destroy(),
    aborts: true,
    notices: true,
  };
}

function ofJestWorker(enableWorkerThreads: boolean): Pool {
  const exposedMethods = ['sum', 'twice', 'fail', 'die'];
  const worker = new JestWorker(filename, {
    enableWorkerThreads,
    exposedMethods,
    numWorkers: 1,
    maxRetries: 0,
  });
  const methods = worker as unknown as Record<string, (task: Task) => Promise<unknown>>;
  return {
    run: (name, task) => methods[name]!(task),
    end: () => worker.end(),
    aborts: false,
    notices: true,
  };
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** What people write themselves: messages to a child process, or to a worker of `cluster`. */
function ofMessages(start: () => ChildProcess | ClusterWorker): Pool {
  let child: ChildProcess | ClusterWorker | undefined;
  let lastId = 0;
  return {
    run: async (name, argument) => {
      const worker = (child ??= start());
      const id = ++lastId;
      worker.send({ id, name, argument });
      for (;;) {
        const [answer] = (await once(worker, 'message')) as [Answer];
        if (answer.id !== id) continue;
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer.result;
      }
    },
    end: async () => {
      if (child === undefined) return;
      child.disconnect();
      await once(child, 'exit');
    },
    aborts: false,
    notices: false,
  };
}

const pools: Record<string, () => Pool> = {
  'workerpool, processes': () => ofWorkerpool('process'),
  'workerpool, threads': () => ofWorkerpool('thread'),
  'tinypool, child_process': () => ofTinypool('child_process'),
  'tinypool, worker_threads': () => ofTinypool('worker_threads'),
  piscina: ofPiscina,
  'jest-worker, processes': () => ofJestWorker(false),
  'jest-worker, threads': () => ofJestWorker(true),
  'messages to a child process': () =>
    ofMessages(() => fork(fixturePath('objects/child'), [], { execArgv: [] })),
  'messages to a worker of cluster': () =>
    ofMessages(() => {
      cluster.setupPrimary({ exec: fixturePath('objects/child'), execArgv: [] });
      return cluster.fork();
    }),
};

const image = Float64Array.from({ length: 10_000 }, (_, i) => i);

function left(): string[] {
  return SharedMemory.list().flatMap(({ kind, name }) => (kind === 'object' ? [name] : []));
}

function holdersOf(name: string): number {
  using object = SharedObject.attach(name);
  return object.holders;
}

/** Buffers of results are released when they are collected. */
async function nothingIsLeft(): Promise<void> {
  await until(() => {
    gc!();
    return left().length === 0;
  });
}

describe.runIf(onLinux).each(Object.keys(pools))('%s', (name) => {
  let pool: Pool;

  beforeEach(() => {
    pool = pools[name]!();
  });

  afterEach(async () => {
    await pool.end();
    await nothingIsLeft();
  });

  it('delivers large arrays both ways', async () => {
    const run = sharing((what: string, task: Task) => pool.run(what, task), { from });
    expect(await run('sum', { image })).toBe(image.reduce((all, each) => all + each, 0));
    const both = (await run('twice', { image })) as { image: Float64Array; length: number };
    expect(both.length).toBe(image.length);
    expect(both.image).toEqual(image.map((each) => 2 * each));
  });

  it('leaves nothing of a task that fails', async () => {
    const run = sharing((what: string, task: Task) => pool.run(what, task), { from });
    await expect(run('fail', { image })).rejects.toThrow(`failed with ${image.length}`);
    expect(left()).toEqual([]);
  });

  it('leaves nothing of a worker that dies in a task', async () => {
    if (!pool.notices) return;
    const run = sharing((what: string, task: Task) => pool.run(what, task), { from });
    await expect(run('die', { image })).rejects.toThrow();
    await nothingIsLeft();
  });

  it('leaves nothing of a task that is aborted', async () => {
    if (!pool.aborts) return;
    const abort = new AbortController();
    const run = sharing(
      (what: string, task: Task) => {
        const running = pool.run(what, task, abort.signal);
        setTimeout(() => abort.abort(), 50);
        return running;
      },
      { from },
    );
    await expect(run('hang', { image })).rejects.toThrow();
    await nothingIsLeft();
    // The pool has replaced the worker, whose thread may still be about to start.
    const again = sharing((what: string, task: Task) => pool.run(what, task), { from });
    await again('twice', { image });
    await nothingIsLeft();
  });

  it('leaves nothing of a task that the end of the pool cuts off', async () => {
    if (!pool.aborts) return;
    const run = sharing((what: string, task: Task) => pool.run(what, task), { from });
    const running = expect(run('hang', { image })).rejects.toThrow();
    await until(() => left().some((each) => holdersOf(each) === 2)); // the worker has begun
    await pool.end();
    await running;
    await nothingIsLeft();
  });

  it('needs no more memory after many tasks than after few', async () => {
    const run = sharing((what: string, task: Task) => pool.run(what, task), { from });
    await run('twice', { image });
    await nothingIsLeft();
    const before = freeBytes();
    for (let n = 0; n < 300; n++) {
      const { image: doubled } = (await run('twice', { image })) as Task;
      if (doubled[9] !== 18) expect(doubled[9]).toBe(18);
    }
    expect(left().length).toBeLessThanOrEqual(1);
    await until(() => {
      gc!();
      return freeBytes() >= before;
    });
  });
});
