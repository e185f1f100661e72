// The client of what test/fixtures/places/host.ts serves: objects in other places, which are used by
// promises. Each verb has its own name, and under `await` its own result.
import {
  SharedMemoryError,
  attach,
  type Handle,
  type SharedDict,
  type SharedList,
  type SharedNamespace,
  type SharedQueue,
} from 'shmkit';
import {
  failureOf,
  type Failure,
  type Order,
  type Outcome,
  type Parcel,
  type Report,
} from '../fixtures/places/wire';
import type { Remote } from './promised';

export interface Structures {
  SharedDict: SharedDict;
  SharedList: SharedList;
  SharedNamespace: SharedNamespace;
  SharedQueue: SharedQueue;
}

export type Structure = Structures[keyof Structures];

/** A class in another place. The objects that it returns are used from here. */
export interface RemoteClass<T> {
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
const callingThere = new Set(['update', 'getOrSetSync']);

/** Verbs whose results are iterated with `for await`. */
const iterators: Record<keyof Structures, readonly string[]> = {
  SharedDict: ['keys', 'values', 'entries', '@@iterator'],
  SharedList: ['keys', 'values', 'entries', '@@iterator'],
  SharedNamespace: [],
  SharedQueue: ['items', '@@iterator'],
};

const ofProperties = ['get', 'set', 'has', 'delete', 'keys', 'all'];

type Verb = (...args: unknown[]) => unknown;

type Kept = Extract<Parcel, { is: 'kept' }>;

interface Pending {
  begin: () => void;
  begun: Promise<void>;
  settle: (outcome: Outcome) => void;
}

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
  readonly #pending = new Map<number, Pending>();
  readonly #functions: Verb[] = [];
  #lastId = 0;
  #isGone = false;
  #stick!: () => void;
  /** Resolves when {@link stuck} was called in that place. */
  readonly stuck = new Promise<void>((resolve) => (this.#stick = resolve));

  constructor(tell: (order: Order) => void) {
    this.#tell = tell;
  }

  /** A class of the library in that place. */
  classOf<K extends keyof Structures>(kind: K): RemoteClass<Structures[K]> {
    const make = async (verb: string, ...args: unknown[]) => {
      const kept = (await this.#ask(kind, verb, args)) as Kept;
      return this.#structure(kind, kept.ref) as Remote<Structures[K]>;
    };
    return {
      create: (options = {}) => make('create', options),
      attach: (name) => make('attach', name),
      open: (name, options = {}) => make('open', name, options),
      unlink: async (name) => {
        await this.#ask(kind, 'unlink', [name]);
      },
    };
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

  #ask(on: string | number, verb: string, args: unknown[]): Promise<Parcel> {
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

  #structure(kind: keyof Structures, ref: number): object {
    const own = new Map<PropertyKey, unknown>([
      // An object with a `then` would be taken for a promise.
      ['then', undefined],
      [Symbol.asyncDispose, this.#verb(ref, '@@dispose')],
      [Symbol.asyncIterator, () => this.#iterate(ref, '@@iterator', [])],
    ]);
    for (const verb of iterators[kind]) {
      own.set(verb, (...args: unknown[]) => this.#iterate(ref, verb, args));
    }
    if (kind === 'SharedNamespace') {
      const verbs = ofProperties.map((name) => [name, this.#verb(ref, `values.${name}`)] as const);
      own.set('values', Object.fromEntries(verbs));
    }
    const object: object = new Proxy(
      {},
      {
        get: (_, name) =>
          own.has(name) || typeof name === 'symbol' ? own.get(name) : this.#verb(ref, name, object),
      },
    );
    return object;
  }

  #item({ ref, data }: Kept): object {
    return {
      ...data,
      ack: this.#verb(ref, 'ack'),
      giveBack: this.#verb(ref, 'giveBack'),
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
          return attach(parcel.handle);
        case 'itself':
          return itself;
        case 'kept':
          return this.#item(parcel);
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
      if ('toJSON' in value && 'unlink' in value) {
        return { is: 'shared', handle: (value.toJSON as () => Handle)() };
      }
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
