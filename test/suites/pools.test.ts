// The pools of processes and threads that users use. They deliver a shared object as its handle, both as an
// argument and as a result.
import { Worker as JestWorker } from 'jest-worker';
import { Piscina } from 'piscina';
import { attach, type Handle } from 'shmkit';
import { Tinypool } from 'tinypool';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import workerpool from 'workerpool';
import { handlesOf, makeAll, removeAll, type Any } from '../fixtures/clones/kinds';
import type { Reply } from '../fixtures/clones/open';
import { fixturePath } from '../support/children';

interface Pool {
  /** Calls one of the functions in test/fixtures/clones/open.ts in a worker. */
  call(name: 'open' | 'pass', argument: object): Promise<unknown>;
  end(): Promise<unknown>;
}

const filename = fixturePath('clones/open');

function ofWorkerpool(workerType: 'process' | 'thread', serialization?: 'advanced'): Pool {
  const pool = workerpool.pool(fixturePath('clones/workerpool'), {
    workerType,
    maxWorkers: 1,
    forkOpts: { execArgv: [], ...(serialization && { serialization }) },
  });
  return {
    call: async (name, argument) => pool.exec(name, [argument]) as Promise<unknown>,
    end: async () => pool.terminate(),
  };
}

function ofTinypool(runtime: 'child_process' | 'worker_threads', serialization?: 'advanced'): Pool {
  const options = { filename, runtime, minThreads: 1, maxThreads: 1 };
  const pool = new Tinypool({ ...options, ...(serialization && { serialization }) });
  return {
    call: (name, argument) => pool.run(argument, { name }) as Promise<unknown>,
    end: () => pool.destroy(),
  };
}

function ofPiscina(): Pool {
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1 });
  return {
    call: (name, argument) => pool.run(argument, { name }) as Promise<unknown>,
    end: () => pool.destroy(),
  };
}

function ofJestWorker(enableWorkerThreads: boolean): Pool {
  const exposedMethods = ['open', 'pass'];
  const worker = new JestWorker(filename, { enableWorkerThreads, exposedMethods, numWorkers: 1 });
  const methods = worker as unknown as Record<string, (argument: object) => Promise<unknown>>;
  return {
    call: (name, argument) => methods[name]!(argument),
    end: () => worker.end(),
  };
}

const pools: Record<string, () => Pool> = {
  'workerpool, processes': () => ofWorkerpool('process'),
  'workerpool, processes with advanced serialization': () => ofWorkerpool('process', 'advanced'),
  'workerpool, threads': () => ofWorkerpool('thread'),
  'tinypool, child_process': () => ofTinypool('child_process'),
  'tinypool, child_process with advanced serialization': () =>
    ofTinypool('child_process', 'advanced'),
  'tinypool, worker_threads': () => ofTinypool('worker_threads'),
  piscina: ofPiscina,
  'jest-worker, processes': () => ofJestWorker(false),
  'jest-worker, threads': () => ofJestWorker(true),
};

describe.each(Object.keys(pools))('%s', (name) => {
  let pool: Pool;
  let objects: Record<string, Any>;
  let handles: Record<string, Handle>;

  beforeEach(() => {
    pool = pools[name]!();
    objects = makeAll();
    handles = handlesOf(objects);
  });

  afterEach(async () => {
    removeAll(objects);
    await pool.end();
  });

  it('delivers handles of what is in an argument, and in a result', async () => {
    const reply = (await pool.call('open', { objects })) as Reply;
    expect(JSON.parse(reply.came)).toStrictEqual(handles);
    const all = Object.keys(objects);
    expect(reply.areThey).toEqual(Object.fromEntries(all.map((kind) => [kind, true])));
    expect(reply.objects).toStrictEqual(handles);
  });

  it('delivers the handle of what is the argument, and the result', async () => {
    for (const [kind, object] of Object.entries(objects)) {
      const result = await pool.call('pass', object);
      expect([kind, result]).toStrictEqual([kind, handles[kind]]);
      using again = attach(result as Handle);
      expect([kind, again.constructor]).toEqual([kind, object.constructor]);
    }
  });
});
