// The places that share structures, and in which tests have operations performed.
import { fork, type ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Host } from '../fixtures/places/host';
import type { Order, Report } from '../fixtures/places/wire';
import { fixturePath } from './children';
import { uniqueName } from './names';
import type { Remote } from './promised';
import { Caller, isGone, type Structure, type Structures } from './remote';

export { stuck } from './remote';
export type { Remote } from './promised';

export const places = [
  'another handle in this process',
  'a forked child',
  'a cluster worker',
  'a worker thread',
] as const;
export type Kind = (typeof places)[number];

/** A running host, and how to reach it. */
interface Site {
  tell(order: Order): void;
  /** Ends the host at once, whatever it is doing. Resolves when it is gone. */
  end(): Promise<void>;
}

interface Listener {
  hear: (report: Report) => void;
  /** Called when the host has ended and will send no more reports. */
  lose: () => void;
}

const program = 'places/place';

/** Every message is copied, as it is on every other channel. */
function openHere({ hear }: Listener): Site {
  const host = new Host((report) => {
    const copy = structuredClone(report);
    setImmediate(() => hear(copy));
  });
  setImmediate(() => hear('ready'));
  return {
    tell: (order) => {
      const copy = structuredClone(order);
      setImmediate(() => host.hear(copy));
    },
    end: () => Promise.resolve(),
  };
}

function openProcess(child: ChildProcess, { hear, lose }: Listener): Site {
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve())).then(lose);
  child.on('message', hear);
  return {
    tell: (order) => {
      // A message to a child that has just ended is lost with it.
      if (child.connected) child.send(order, () => undefined);
    },
    end: async () => {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

function openThread({ hear, lose }: Listener): Site {
  const worker = new Worker(fixturePath(program));
  const exit = once(worker, 'exit').then(lose);
  worker.on('message', hear);
  return {
    tell: (order) => worker.postMessage(order),
    end: async () => {
      await worker.terminate();
      await exit;
    },
  };
}

function open(kind: Kind, listener: Listener): Site {
  const exec = fixturePath(program);
  switch (kind) {
    case 'another handle in this process':
      return openHere(listener);
    case 'a forked child':
      return openProcess(fork(exec, { execArgv: [], serialization: 'advanced' }), listener);
    case 'a cluster worker':
      cluster.setupPrimary({ exec, args: [], execArgv: [], serialization: 'advanced' });
      return openProcess(cluster.fork().process, listener);
    case 'a worker thread':
      return openThread(listener);
  }
}

function connect(kind: Kind) {
  const caller: Caller = new Caller((order) => site.tell(order));
  let begin!: () => void;
  const ready = new Promise<void>((resolve) => (begin = resolve));
  const site: Site = open(kind, {
    hear: (report) => (report === 'ready' ? begin() : caller.hear(report)),
    lose: () => caller.lose(),
  });
  return { caller, site, ready };
}

/** The place where the tests run. Objects here are used in the same way as objects elsewhere. */
const { caller: home } = connect('another handle in this process');

/** Waits until a condition holds that another place must be asked for. */
export async function untilTrue(ask: () => Promise<boolean>): Promise<void> {
  while (!(await ask()));
}

/** Collects all iterated items. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export class Place {
  /** Whether the place can be ended, and its thread blocked, while this thread continues. */
  readonly canEnd: boolean;
  readonly isProcess: boolean;
  readonly #kind: Kind;
  readonly #others: Place[] = [];
  readonly #shared: { here: Remote<Structure>; there: AsyncDisposable }[] = [];
  #caller!: Caller;
  #site!: Site;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.canEnd = kind !== 'another handle in this process';
    this.isProcess = kind === 'a forked child' || kind === 'a cluster worker';
  }

  /** Resolves when the place can be asked. */
  async start(): Promise<this> {
    const { caller, site, ready } = connect(this.#kind);
    this.#caller = caller;
    this.#site = site;
    await ready;
    return this;
  }

  /** A class of the library in that place. */
  classOf<K extends keyof Structures>(kind: K) {
    return this.#caller.classOf(kind);
  }

  /** A class of the library in this place. */
  classHere<K extends keyof Structures>(kind: K) {
    return home.classOf(kind);
  }

  /** Creates a structure here, to which the place attaches by its name. {@link clear} removes it. */
  async share<T>(
    kind: keyof Structures,
    options: object = {},
  ): Promise<{ here: Remote<T>; there: Remote<T> }> {
    const here = await home.classOf(kind).create({ name: uniqueName(), ...options });
    const there = await this.classOf(kind).attach(await here.name());
    this.#shared.push({ here, there });
    return { here, there } as unknown as { here: Remote<T>; there: Remote<T> };
  }

  /**
   * Starts another place of this kind, which a test can end in the middle of an operation. {@link clear}
   * removes it.
   */
  async another(): Promise<Place> {
    const other = await new Place(this.#kind).start();
    this.#others.push(other);
    return other;
  }

  /** Attaches in that place. */
  async attach<T>(kind: keyof Structures, here: { name(): Promise<string> }): Promise<Remote<T>> {
    return (await this.classOf(kind).attach(await here.name())) as unknown as Remote<T>;
  }

  /** Resolves when all requests are under way, here and there. */
  async begun(): Promise<void> {
    await Promise.all([this.#caller.begun(), home.begun()]);
  }

  /** Resolves when `stuck` has been called in that place. */
  get isStuck(): Promise<void> {
    return this.#caller.stuck;
  }

  /** Ends the place by SIGKILL, or terminates it. Requests that are not answered are rejected. */
  end(): Promise<void> {
    return this.#site.end();
  }

  /**
   * Makes one request after another, several at a time, and ends the place while requests are active.
   *
   * @returns how many requests were made, numbered from 0, and which of them were answered.
   */
  async endAmid(ask: (n: number) => Promise<unknown>): Promise<{ asked: number; done: number[] }> {
    let asked = 0;
    const done: number[] = [];
    const goOn = async (): Promise<never> => {
      for (;;) {
        const n = asked++;
        await ask(n);
        done.push(n);
        if (done.length === 100) void this.end();
      }
    };
    const lanes = Array.from({ length: 10 }, () =>
      goOn().catch((error: unknown) => {
        if (!isGone(error)) throw error;
      }),
    );
    await Promise.all(lanes);
    await this.end();
    return { asked, done };
  }

  /** Closes everything that a test has shared, and ends what it has started. */
  async clear(): Promise<void> {
    await Promise.all(this.#others.splice(0).map((other) => other.end()));
    for (const { here, there } of this.#shared.splice(0)) {
      await there[Symbol.asyncDispose]();
      await here.unlink();
      await here.close();
    }
  }
}
