// The places that share an engine's objects, and in which tests have operations performed.
import { fork, type ChildProcess } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { contract } from 'shmkit';
import { engines as enginesByName, type Engine, type EngineName } from '../fixtures/places/engines';
import { Host } from '../fixtures/places/host';
import type { Handle, Order, Report } from '../fixtures/places/wire';
import { fixturePath } from './children';
import { uniqueName } from './names';
import { forms, type Form } from './peers';
import type { Remote } from './promised';
import { Caller, isGone, type Kind, type Kinds, type RemoteMaker } from './remote';
import { onWindows } from './system';

export { stuck } from './remote';
export type { EngineName } from '../fixtures/places/engines';
export type { Remote } from './promised';
export type { Kind, Kinds, RemoteMaker } from './remote';

/** The engines that every test of the contract is run with, wherever the tests run. Others need a server. */
export const engines: readonly EngineName[] = ['shared memory'];

export const places = [
  'another handle in this process',
  'a forked child',
  'a cluster worker',
  'a worker thread',
] as const;
export type PlaceKind = (typeof places)[number];

/** What differs between engines. */
interface Traits {
  /** How it can wait. */
  readonly forms: readonly Form[];
  /** Whether an object stays when the process ends that made it, and no other process uses it. */
  readonly keepsUnused: boolean;
  /** Whether a semaphore's permits can be released by those who have none, which adds permits. */
  readonly addsPermits: boolean;
}

const traitsOf: Record<EngineName, Traits> = {
  'shared memory': { forms, keepsUnused: !onWindows, addsPermits: true },
  redis: { forms: ['async'], keepsUnused: true, addsPermits: true },
};

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
function openHere(engine: EngineName, { hear }: Listener): Site {
  const host = new Host(enginesByName[engine], (report) => {
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

function openThread(engine: EngineName, { hear, lose }: Listener): Site {
  const worker = new Worker(fixturePath(program), { argv: [engine] });
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

function open(engine: EngineName, kind: PlaceKind, listener: Listener): Site {
  const exec = fixturePath(program);
  switch (kind) {
    case 'another handle in this process':
      return openHere(engine, listener);
    case 'a forked child':
      return openProcess(
        fork(exec, [engine], { execArgv: [], serialization: 'advanced' }),
        listener,
      );
    case 'a cluster worker':
      cluster.setupPrimary({ exec, args: [engine], execArgv: [], serialization: 'advanced' });
      return openProcess(cluster.fork().process, listener);
    case 'a worker thread':
      return openThread(engine, listener);
  }
}

function connect(engine: EngineName, kind: PlaceKind, adopt?: (handle: Handle) => Promise<object>) {
  const caller: Caller = new Caller((order) => site.tell(order), adopt);
  let begin!: () => void;
  const ready = new Promise<void>((resolve) => (begin = resolve));
  const site: Site = open(engine, kind, {
    hear: (report) => (report === 'ready' ? begin() : caller.hear(report)),
    lose: () => caller.lose(),
  });
  return { caller, site, ready };
}

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
  readonly traits: Traits;
  /** Whether the place can be ended, and its thread blocked, while this thread continues. */
  readonly canEnd: boolean;
  readonly isProcess: boolean;
  readonly #engine: EngineName;
  readonly #kind: PlaceKind;
  readonly #others: Place[] = [];
  readonly #shared: { here: Remote<contract.Named>; there: AsyncDisposable }[] = [];
  /** The kinds of the objects that tests have. */
  readonly #kinds = new WeakMap<object, Kind>();
  /** The place where the tests run. Objects here are used in the same way as objects elsewhere. */
  readonly #home: Caller;
  #caller!: Caller;
  #site!: Site;

  constructor(engine: EngineName, kind: PlaceKind) {
    this.traits = traitsOf[engine];
    this.#engine = engine;
    this.#kind = kind;
    this.#home = connect(engine, 'another handle in this process').caller;
    this.canEnd = kind !== 'another handle in this process';
    this.isProcess = kind === 'a forked child' || kind === 'a cluster worker';
  }

  /** Resolves when the place can be asked. */
  async start(): Promise<this> {
    const engine: Engine = enginesByName[this.#engine];
    await engine.begin?.();
    const { caller, site, ready } = connect(this.#engine, this.#kind, (handle) =>
      this.#home.attachTo(handle),
    );
    this.#caller = caller;
    this.#site = site;
    await ready;
    return this;
  }

  /** Makes objects in that place. */
  makerThere<K extends Kind>(kind: K): RemoteMaker<Kinds[K]> {
    return this.#caller.maker(kind);
  }

  /** Makes objects in this place. */
  makerHere<K extends Kind>(kind: K): RemoteMaker<Kinds[K]> {
    return this.#home.maker(kind);
  }

  /** Creates an object here, to which the place attaches by its name. {@link clear} removes it. */
  async share<T>(kind: Kind, options: object = {}): Promise<{ here: Remote<T>; there: Remote<T> }> {
    const here = await this.#home.maker<Kind>(kind).create({ name: uniqueName(), ...options });
    const there = await this.makerThere<Kind>(kind).attach(await here.name());
    this.#kinds.set(here, kind).set(there, kind);
    this.#shared.push({ here: here as unknown as Remote<contract.Named>, there });
    return { here, there } as unknown as { here: Remote<T>; there: Remote<T> };
  }

  /** Attaches in this place to the object that plain data describe. */
  attachHere<T>(handle: object): Promise<Remote<T>> {
    return this.#home.attachTo(handle) as Promise<Remote<T>>;
  }

  /**
   * The object with verbs that wait in that form: in the sync form, they block the thread.
   *
   * @param kind - needed if a manager made the object.
   */
  inForm<T extends object>(form: Form, object: T, kind = this.#kinds.get(object)!): T {
    if (form === 'async') return object;
    const engine: Engine = enginesByName[this.#engine];
    return new Proxy(object, {
      get: (target, verb) =>
        Reflect.get(
          target,
          typeof verb === 'string' ? (engine.blocking(kind, verb) ?? verb) : verb,
        ),
    });
  }

  /**
   * Starts another place of this kind, which a test can end in the middle of an operation. {@link clear}
   * removes it.
   */
  async another(): Promise<Place> {
    const other = await new Place(this.#engine, this.#kind).start();
    this.#others.push(other);
    return other;
  }

  /** Attaches in that place. */
  async attach<T>(kind: Kind, here: { name(): Promise<string> }): Promise<Remote<T>> {
    const there = await this.makerThere<Kind>(kind).attach(await here.name());
    this.#kinds.set(there, kind);
    return there as unknown as Remote<T>;
  }

  /** Resolves when all requests are under way, here and there. */
  async begun(): Promise<void> {
    await Promise.all([this.#caller.begun(), this.#home.begun()]);
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
