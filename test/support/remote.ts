// The client of what test/fixtures/places/host.ts serves: objects in other places, which are used by
// promises. Each verb has its own name, and under `await` its own result.
import { SharedMemoryError, type contract } from 'shmkit';
import {
  failureOf,
  type Failure,
  type Handle,
  type Order,
  type Outcome,
  type Parcel,
  type Report,
} from '../fixtures/places/wire';
import type { Remote } from './promised';

/** What an engine makes, by the names of kinds. */
export interface Kinds {
  lock: contract.NamedLock;
  rlock: contract.RLock;
  rwlock: contract.RWLock;
  semaphore: contract.Semaphore;
  event: contract.Event;
  condition: contract.Condition;
  barrier: contract.Barrier;
  value: contract.Value;
  array: contract.NumberArray;
  dict: contract.Dict;
  list: contract.List;
  queue: contract.Queue;
  namespace: contract.Namespace<Record<string, unknown>>;
  manager: contract.Manager;
}
export type Kind = keyof Kinds;

/** Makes objects of one kind in another place. They are used from here. */
export interface RemoteMaker<T> {
  create(options?: object): Promise<Remote<T>>;
  attach(name: string): Promise<Remote<T>>;
  open(name: string, options?: object): Promise<Remote<T>>;
  unlink(name: string): Promise<void>;
}

/**
 * A function that reports its call, and never returns. For verbs that call their function in the other
 * place.
 */
export const stuck = (): never => {
  throw new Error('it is to be called elsewhere');
};

/**
 * Verbs that call a function and cannot await it. The function runs in the other place, so its source is
 * sent, and it can use only its arguments. All other functions stay here, and are called from there.
 */
const callingThere = new Set([
  'update',
  'getOrSetSync',
  'runExclusiveSync',
  'waitFor',
  'waitForSync',
]);

/** Verbs whose results are iterated with `for await`. */
const iterators: Partial<Record<Kind, readonly string[]>> = {
  dict: ['keys', 'values', 'entries'],
  list: ['values', 'entries'],
  queue: ['items'],
};

/** Kinds that have a lock of their own. */
const withLock = new Set<Kind>(['condition', 'value', 'array']);

const ofProperties = ['get', 'set', 'has', 'delete', 'keys', 'all'];

type Verb = (...args: unknown[]) => unknown;

type Kept = Extract<Parcel, { is: 'kept' }>;

interface Pending {
  begin: () => void;
  begun: Promise<void>;
  settle: (outcome: Outcome) => void;
}

/** The plain data of the objects that are used from here. */
const handles = new WeakMap<object, Handle>();

const gone: Failure = { name: 'PlaceGone', message: 'the place is gone' };

/** Whether the rejection is due to the end of the place. */
export function isGone(error: unknown): boolean {
  return error instanceof Error && error.name === gone.name;
}

function errorOf({ name, message, code }: Failure): Error {
  if (name === 'SharedMemoryError') return new SharedMemoryError(code!, message);
  const type = { Error, TypeError, RangeError }[name];
  const error = type ? new type(message) : Object.assign(new Error(message), { name });
  return code === undefined ? error : Object.assign(error, { code });
}

export class Caller {
  readonly #tell: (order: Order) => void;
  readonly #adopt: (handle: Handle) => Promise<object>;
  readonly #pending = new Map<number, Pending>();
  readonly #functions: Verb[] = [];
  #lastId = 0;
  #isGone = false;
  #stick!: () => void;
  /** Resolves when {@link stuck} was called in that place. */
  readonly stuck = new Promise<void>((resolve) => (this.#stick = resolve));

  /**
   * @param adopt - attaches in this place to an object that was read as a value in that place. By default, the
   * places are the same.
   */
  constructor(tell: (order: Order) => void, adopt?: (handle: Handle) => Promise<object>) {
    this.#tell = tell;
    this.#adopt = adopt ?? ((handle) => this.attachTo(handle));
  }

  /** Makes objects of a kind in that place. */
  maker<K extends Kind>(kind: K): RemoteMaker<Kinds[K]> {
    const make = async (verb: string, ...args: unknown[]) =>
      this.#object(await this.#ask(undefined, verb, [kind, ...args])) as Remote<Kinds[K]>;
    return {
      create: (options = {}) => make('create', options),
      attach: (name) => make('attach', name),
      open: (name, options = {}) => make('open', name, options),
      unlink: async (name) => {
        await this.#ask(undefined, 'unlink', [kind, name]);
      },
    };
  }

  /** Attaches in that place to the object that plain data describe. */
  async attachTo(handle: Handle): Promise<object> {
    return this.#object(await this.#ask(undefined, 'attachTo', [handle]));
  }

  /** Resolves when all requests are under way in that place. */
  async begun(): Promise<void> {
    await Promise.all([...this.#pending.values()].map(({ begun }) => begun));
  }

  hear(report: Exclude<Report, 'ready'>): void {
    if (report === 'stuck') this.#stick();
    else if ('begun' in report) this.#pending.get(report.begun)?.begin();
    else if ('ended' in report) this.#pending.get(report.ended)?.settle(report.outcome);
    else void this.#return(report);
  }

  /** Called when the other place has ended and answers no more. */
  lose(): void {
    this.#isGone = true;
    for (const { settle } of [...this.#pending.values()]) settle({ failure: gone });
  }

  #ask(on: number | undefined, verb: string, args: unknown[]): Promise<Parcel> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      let begin!: () => void;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const settle = (outcome: Outcome) => {
        begin();
        this.#pending.delete(id);
        if ('failure' in outcome) reject(errorOf(outcome.failure));
        else resolve(outcome.parcel);
      };
      if (this.#isGone) {
        settle({ failure: gone });
        return;
      }
      this.#pending.set(id, { begin, begun, settle });
      this.#tell({ id, on, verb, args: args.map((arg) => this.#pack(arg, verb)) });
    });
  }

  #object(parcel: Parcel): object {
    if (parcel.is !== 'object') throw new Error(`${parcel.is} is no object`);
    const { ref, handle } = parcel;
    const kind = parcel.kind as Kind;
    const own = new Map<PropertyKey, unknown>([
      [Symbol.asyncDispose, this.#verb(ref, '@@dispose')],
    ]);
    for (const verb of iterators[kind] ?? []) {
      own.set(verb, (...args: unknown[]) => this.#iterate(ref, verb, args));
    }
    if (kind === 'namespace') {
      const verbs = ofProperties.map((name) => [name, this.#verb(ref, `values.${name}`)] as const);
      own.set('values', Object.fromEntries(verbs));
    }
    if (withLock.has(kind)) own.set('lock', this.#members(ref, 'lock.', new Map()));
    const object = this.#members(ref, '', own);
    handles.set(object, handle);
    return object;
  }

  /** An object whose members are requests, except for its own. */
  #members(ref: number, prefix: string, own: ReadonlyMap<PropertyKey, unknown>): object {
    const object: object = new Proxy(
      {},
      {
        get: (_, name) => {
          // An object with a `then` would be taken for a promise.
          if (own.has(name) || typeof name === 'symbol' || name === 'then') return own.get(name);
          return this.#verb(ref, prefix + name, object);
        },
      },
    );
    return object;
  }

  #token({ ref, data }: Kept): object {
    return {
      ...data,
      ack: this.#verb(ref, 'ack'),
      giveBack: this.#verb(ref, 'giveBack'),
      release: this.#verb(ref, 'release'),
      [Symbol.asyncDispose]: this.#verb(ref, '@@dispose'),
    };
  }

  #verb(ref: number, name: string, itself?: object): Verb {
    return async (...args) => {
      const parcel = await this.#ask(ref, name, args);
      switch (parcel.is) {
        case 'data':
          return parcel.value;
        case 'shared':
          return this.#adopt(parcel.handle);
        case 'itself':
          return itself;
        case 'object':
          return this.#object(parcel);
        case 'kept':
          return this.#token(parcel);
        default:
          throw new Error(`${parcel.is} is no answer`);
      }
    };
  }

  async *#iterate(on: number, verb: string, args: unknown[]): AsyncGenerator {
    const { ref } = (await this.#ask(on, verb, args)) as Kept;
    const next = this.#verb(ref, 'next') as () => Promise<IteratorResult<unknown, undefined>>;
    let isOver = false;
    try {
      for (;;) {
        // An iteration that throws is over.
        isOver = true;
        const { done, value } = await next();
        if (done) return;
        isOver = false;
        yield value;
      }
    } finally {
      if (!isOver) await this.#ask(ref, 'return', []);
    }
  }

  #pack(value: unknown, verb: string): Parcel {
    if (value === stuck) return { is: 'stuck' };
    if (typeof value === 'function') {
      if (callingThere.has(verb)) return { is: 'source', text: String(value) };
      return { is: 'function', id: this.#functions.push(value as Verb) - 1 };
    }
    if (typeof value === 'object' && value !== null) {
      const handle = handles.get(value);
      if (handle) return { is: 'shared', handle };
      if ('signal' in value && value.signal instanceof AbortSignal) {
        const signal = this.#follow(value.signal);
        return { is: 'options', data: { ...value, signal: undefined }, signal };
      }
    }
    return { is: 'data', value };
  }

  #follow(signal: AbortSignal): number {
    const id = ++this.#lastId;
    const tell = () => this.#tell({ abort: id, reason: failureOf(signal.reason) });
    if (signal.aborted) tell();
    else signal.addEventListener('abort', tell, { once: true });
    return id;
  }

  /** Calls a function of this place for the other place. */
  async #return({ call, id, args }: Extract<Report, { call: number }>): Promise<void> {
    const given = args.map((arg) => (arg.is === 'data' ? arg.value : arg.is));
    const outcome = await new Promise((resolve) => resolve(this.#functions[id]!(...given))).then(
      (value): Outcome => ({ parcel: { is: 'data', value } }),
      (error: unknown): Outcome => ({ failure: failureOf(error) }),
    );
    if (!this.#isGone) this.#tell({ returned: call, outcome });
  }
}
