import { randomBytes } from 'node:crypto';
import { after, steadyMs } from '../wire/clock';
import type { Script } from '../wire/script';
import { Wire, type Answer, type Answered, type WireOptions } from '../wire/wire';
import { channelOf, touch } from '../scripts/prelude';
import { checkServer } from './check-server';
import { Leases, type RenewIn } from './leases';

/** How a process uses a server. */
export interface SessionOptions extends WireOptions {
  /** How long what is held stays held when its holder falls silent, in milliseconds. */
  readonly leaseMs: number;
  readonly renew: RenewIn;
  /** Whether a server that may remove keys by itself is accepted. */
  readonly allowEviction: boolean;
  /** For how long objects that were unlinked stay for those who do not use them, in milliseconds. */
  readonly lingerMs: number;
  /** How long a request that waits for nothing but the server may take, in milliseconds. */
  readonly serveMs: number;
}

/** Something that waits for a message. */
export type Waker = () => void;

/** How a request is made, and what its error is called by. */
export interface Ask {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | Buffer)[];
  /** Whether the request may be repeated when its answer was lost. */
  readonly repeats: boolean;
  /** For a request that is part of a wait: it goes on until that is over. */
  readonly isOver?: () => boolean;
  readonly deadline?: number | undefined;
}

/** An answer of a script: a word, and what belongs to it. */
export interface Said extends Answered {
  readonly word: string;
  readonly rest: readonly Answer[];
}

/** For a new connection, all that waits looks again within this time, at random moments. */
const mostJitterMs = 50;

/** Which part of a lease the answer to its renewal may take. It is renewed when a third of it is over. */
const patienceOfLease = 1 / 6;

/**
 * A process's use of a server: one connection for requests, one channel for messages, one thread that renews leases,
 * however many objects there are.
 *
 * What waits has a token: the session's id and a number. A message to the session is a number: whoever waits by it
 * looks again. So a lost message delays, and does not mislead. On a new connection all look again.
 */
export class Session {
  readonly id: string;
  readonly leases: Leases;
  readonly options: SessionOptions;
  readonly #wire: Wire;
  readonly #wakers = new Map<number, Waker>();
  #lastNumber = 0;
  #isClosed = false;

  private constructor(id: string, wire: Wire, options: SessionOptions) {
    this.id = id;
    this.#wire = wire;
    this.options = options;
    const { url, tls, patienceMs, leaseMs } = options;
    // A lease outlasts a connection that has died without a word, and a first attempt to make another.
    const forThread = {
      url,
      tls,
      patienceMs: Math.min(patienceMs, Math.ceil(leaseMs * patienceOfLease)),
      connectMs: Math.min(patienceMs, Math.ceil(2 * leaseMs * patienceOfLease)),
    };
    this.leases = new Leases(wire, forThread, options.renew);
    wire.onUp(() => this.#wakeAll());
  }

  /** @throws SharedMemoryError `ERR_UNAVAILABLE`, `EACCES`, `ENOTSUP` the server cannot be used; the message says why. */
  static async open(options: SessionOptions): Promise<Session> {
    const { url, tls, patienceMs, allowEviction, serveMs } = options;
    const id = randomBytes(16).toString('hex');
    // There are no messages before there is somebody who waits for one.
    let session: Session | undefined = undefined as Session | undefined;
    const wire = await Wire.open(
      { url, tls, patienceMs },
      {
        channel: channelOf(id),
        onMessage: (message) => session?.hear(Number(message.toString())),
        check: (command) => checkServer(command, allowEviction),
      },
      serveMs,
    );
    session = new Session(id, wire, options);
    return session;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  get isUp(): boolean {
    return this.#wire.isUp;
  }

  /** A new token, by which requests of one undertaking are known. */
  token(): { readonly token: string; readonly number: number } {
    const number = ++this.#lastNumber;
    return { token: `${this.id}:${number}`, number };
  }

  /** Calls a function at each message for that number. */
  listen(number: number, wake: Waker): void {
    this.#wakers.set(number, wake);
  }

  /** There is news for who waits by that number. */
  hear(number: number): void {
    this.#wakers.get(number)?.();
  }

  forget(number: number): void {
    this.#wakers.delete(number);
  }

  /** Runs a script. Throws for what all objects have in common is left to the caller. */
  async ask({ script, keys, args, repeats, isOver, deadline }: Ask): Promise<Said> {
    const until = isOver === undefined ? steadyMs() + this.options.serveMs : undefined;
    const answered = await this.#wire.run(script, keys, args, {
      repeats,
      deadline: deadline ?? until,
      ...(isOver !== undefined && { isOver }),
    });
    const [word, ...rest] = answered.answer as readonly Answer[];
    if (String(word) !== 'lingers') return { ...answered, word: String(word), rest };
    // It was only read. Nobody waits for the answer, because the object stays for much longer than this takes.
    this.tell({ script: touch, keys, args: [] });
    const [inner, ...others] = rest[0] as readonly Answer[];
    return { ...answered, word: String(inner), rest: others };
  }

  /** Resolves when the server has served all requests that were made before. */
  async served(): Promise<void> {
    await this.#wire.command('PING');
    // By now it has refused those whose scripts it did not know, and their texts were sent.
    await this.#wire.command('PING');
  }

  /** Makes a request whose answer nobody needs. It fails where what it would do happens by itself later. */
  tell(ask: Omit<Ask, 'repeats' | 'isOver' | 'deadline'>): void {
    if (this.#isClosed) return;
    this.ask({ ...ask, repeats: true }).catch(() => undefined);
  }

  /** Ends everything. What is held is lost, and given back by the server when its lease ends. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.leases.close();
    this.#wire.close();
    for (const wake of [...this.#wakers.values()]) wake();
  }

  #wakeAll(): void {
    for (const wake of [...this.#wakers.values()]) {
      after(Math.random() * mostJitterMs, wake, false);
    }
  }
}
