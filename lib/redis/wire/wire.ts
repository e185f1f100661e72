import {
  ClientClosedError,
  ClientOfflineError,
  createClient,
  ErrorReply,
  RESP_TYPES,
} from '@redis/client';
import { SharedMemoryError } from '../../common/errors';
import { after, afterReading, delay, steadyMs, wallMs, type Timer } from './clock';
import { answeredFailure, isCoded, unavailable, type Failure } from './failures';
import type { Script } from './script';

/** An answer of the server: numbers, bytes, nothing, and lists of these. */
export type Answer = number | Buffer | null | readonly Answer[];

/** Where the server is, and how long to wait for it. Plain data: a thread gets it, too. */
export interface WireOptions {
  readonly url: string;
  /** Options of the TLS connection, as `tls.connect()` has them. */
  readonly tls?: Readonly<Record<string, unknown>> | undefined;
  /** How long an answer may take before the connection is given up, in milliseconds. */
  readonly patienceMs: number;
  /** How long a step of the connection may take, in milliseconds. Default `patienceMs`. */
  readonly connectMs?: number | undefined;
}

/** What a connection is used for, besides requests. */
export interface WireUse {
  /** Its messages are received by each new connection. Those of the time between two connections are lost. */
  readonly channel: string;
  onMessage(message: Buffer): void;
  /** Is called with each new connection before it is used. Throws a SharedMemoryError where the server is of no use. */
  check(command: (...args: string[]) => Promise<Answer>): Promise<void>;
}

/** How a request is made. */
export interface CallOptions {
  /** Whether it may be sent again when its answer was lost. */
  readonly repeats: boolean;
  /** The moment, by the steady clock, at which it is given up while the server does not serve it. */
  readonly deadline?: number | undefined;
  /** A request that nobody waits for any more is not sent again. */
  readonly isOver?: () => boolean;
}

/** An answer, and the moment before the request was sent: a lease that the server granted begins later. */
export interface Answered {
  readonly answer: Answer;
  readonly sentAtMs: number;
  readonly sentAtWallMs: number;
  /** Whether the request was sent before, and may have been executed then. */
  readonly isRepeated: boolean;
}

type Client = ReturnType<typeof newClient>;

/** The delay before the n-th attempt to connect is random, and at most this. So many clients do not come at once. */
const mostBackoffMs = 2000;
const leastBackoffMs = 50;

const backoffMs = (most: number): number =>
  leastBackoffMs + Math.random() * (most - leastBackoffMs);

/** The delay before a request is made again that the server has refused for the moment. */
const retryMs = 50;

/** An unanswered request is given up after so many looks, each of which follows on reading the socket. */
const looksOfPatience = 4;

interface InFlight {
  looks: number;
}

// Types of the client library stay in this file. So the declarations of the package do not need them.
function newClient({ url, tls }: WireOptions, connectTimeout: number) {
  return createClient({
    url,
    RESP: 3,
    maintNotifications: 'disabled',
    disableClientInfo: true,
    // It would send requests again whose answers were lost. What may be repeated is decided here.
    disableOfflineQueue: true,
    socket: {
      reconnectStrategy: false,
      connectTimeout,
      ...(tls !== undefined && { ...tls, tls: true as const }),
    },
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  } as const);
}

/**
 * A connection to the server, by which all requests of a process go. When it breaks, it is made anew. Messages have a
 * second one, which begins and ends with the first: a server limits what it keeps for a connection that has subscribed,
 * and would end it for one large answer.
 *
 * States: connecting, up, closed. Invariants:
 *
 * - W1  A request is written to one connection, once. It is sent again only where its caller said that it may be.
 * - W2  When a connection ends, each of its requests settles as lost, and the connection for messages ends, too.
 * - W3  A connection that leaves a request unanswered for `patienceMs` ends. The time counts in looks that follow on
 *       reading the socket, so a blocked event loop ends no connection.
 * - W4  While it is up, requests are written in the order of the calls.
 * - W5  No part of a request is written after it is over. So what withdraws it comes later.
 */
export class Wire {
  readonly #options: WireOptions;
  readonly #use: WireUse | undefined;
  #client: Client | undefined;
  #messages: Client | undefined;
  #inFlight = new Set<InFlight>();
  #look: Timer | undefined;
  #ping: Timer | undefined;
  /** Wakes those who wait for a connection. */
  readonly #wakers = new Set<() => void>();
  /** Why there is no connection now. */
  #why: Error | undefined;
  #isClosed = false;
  readonly #upListeners = new Set<() => void>();

  private constructor(options: WireOptions, use?: WireUse) {
    this.#options = options;
    this.#use = use;
  }

  /**
   * Connects. Tries again where the server cannot be reached.
   *
   * @param withinMs - for how long it tries.
   * @throws SharedMemoryError `ERR_UNAVAILABLE`, `EACCES`, or what the check throws.
   */
  static async open(options: WireOptions, use: WireUse, withinMs: number): Promise<Wire> {
    const wire = new Wire(options, use);
    const end = steadyMs() + withinMs;
    for (let most = leastBackoffMs; ; most = Math.min(2 * most, mostBackoffMs)) {
      try {
        await wire.#connect();
        return wire;
      } catch (error) {
        const waitMs = backoffMs(most);
        if (!isCoded(error, 'ERR_UNAVAILABLE') || steadyMs() + waitMs > end) {
          wire.close();
          throw error;
        }
        await delay(waitMs);
      }
    }
  }

  /** Begins to connect, for ever anew. For a thread, in which nobody waits for the connection. */
  static begin(options: WireOptions): Wire {
    const wire = new Wire(options);
    void wire.#reconnect();
    return wire;
  }

  get #connectMs(): number {
    return this.#options.connectMs ?? this.#options.patienceMs;
  }

  get isUp(): boolean {
    return this.#client !== undefined;
  }

  /** Calls a function whenever there is a new connection, and all that was waited for is to be looked at again. */
  onUp(listener: () => void): void {
    this.#upListeners.add(listener);
  }

  /** Runs a script. */
  run(
    { sha, text }: Script,
    keys: readonly string[],
    args: readonly (string | Buffer)[],
    options: CallOptions,
  ): Promise<Answered> {
    const rest = [String(keys.length), ...keys, ...args];
    // The server has not executed a script that it does not know, so nothing is done twice.
    return this.#call(async (client) => {
      try {
        return await this.#send(client, ['EVALSHA', sha, ...rest]);
      } catch (error) {
        if (!/^NOSCRIPT\b/.test((error as Error).message)) throw error;
      }
      // What withdraws the request may have been sent meanwhile (W5).
      if (options.isOver?.() === true) throw new GivenUp();
      return this.#send(client, ['EVAL', text, ...rest]);
    }, options);
  }

  /** Runs a command that may be repeated. */
  async command(...args: string[]): Promise<Answer> {
    const deadline = steadyMs() + this.#options.patienceMs;
    const { answer } = await this.#call((client) => this.#send(client, args), {
      repeats: true,
      deadline,
    });
    return answer;
  }

  /** Ends the connection. Requests that are under way are lost, and no others can be made. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#why = new SharedMemoryError('ERR_CLOSED', 'the connection to the server was closed');
    this.#drop(this.#why);
    this.#wakeAll();
  }

  async #call(
    ask: (client: Client) => Promise<Answer>,
    { repeats, deadline, isOver }: CallOptions,
  ): Promise<Answered> {
    for (let isRepeated = false; ;) {
      // No promise comes before the request is written, which W4 needs.
      const client = this.#client ?? (await this.#awaitClient(deadline, isRepeated));
      if (isOver?.() === true) throw unavailable('the request was given up', this.#why);
      const sentAtMs = steadyMs();
      const sentAtWallMs = wallMs();
      let failure: Failure;
      try {
        const answer = await ask(client);
        return { answer, sentAtMs, sentAtWallMs, isRepeated };
      } catch (error) {
        failure = this.#failureOf(client, error as Error);
      }
      if (failure.is === 'failed') throw failure.error;
      const { cause } = failure;
      if (failure.is === 'lost') {
        if (!repeats) {
          const what = 'the answer of the server was lost, so the change may have been made or not';
          throw new SharedMemoryError('ERR_UNCERTAIN', what, { cause });
        }
        isRepeated = true;
      }
      if (this.#isClosed) throw this.#why ?? cause;
      if (deadline !== undefined && steadyMs() >= deadline) {
        throw unavailable('the server did not serve the request within its time', cause);
      }
      if (failure.is === 'refused') await delay(retryMs);
    }
  }

  async #awaitClient(deadline: number | undefined, isRepeated: boolean): Promise<Client> {
    for (;;) {
      if (this.#isClosed) throw this.#why ?? new Error('closed');
      if (this.#client !== undefined) return this.#client;
      const left = deadline === undefined ? undefined : deadline - steadyMs();
      if (left !== undefined && left <= 0) {
        const what = isRepeated ? 'the answer was lost, and then there was' : 'there is';
        throw unavailable(`${what} no connection to the server`, this.#why);
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          timer?.stop();
          this.#wakers.delete(wake);
          resolve();
        };
        const timer = left === undefined ? undefined : after(left, wake);
        this.#wakers.add(wake);
      });
    }
  }

  async #send(client: Client, args: readonly (string | Buffer)[]): Promise<Answer> {
    const own: InFlight = { looks: 0 };
    const inFlight = this.#inFlight;
    inFlight.add(own);
    this.#watch();
    try {
      return await client.sendCommand<Answer>(args);
    } finally {
      inFlight.delete(own);
    }
  }

  /** Looks from time to time whether the oldest request was answered (W3). */
  #watch(): void {
    if (this.#look !== undefined) return;
    this.#look = after(
      this.#options.patienceMs / looksOfPatience,
      () =>
        afterReading(() => {
          this.#look = undefined;
          const [oldest] = this.#inFlight;
          if (oldest === undefined || this.#isClosed) return;
          if (++oldest.looks >= looksOfPatience) {
            const ms = this.#options.patienceMs;
            this.#lose(new Error(`the server did not answer within ${ms} ms`));
          } else {
            this.#watch();
          }
        }),
      false,
    );
  }

  #failureOf(client: Client, error: Error): Failure {
    // It was not written, because the connection had ended before.
    if (isA(error, ClientClosedError) || isA(error, ClientOfflineError)) {
      if (client === this.#client) this.#lose(error);
      return { is: 'refused', cause: error };
    }
    if (isA(error, GivenUp)) return { is: 'refused', cause: error };
    // Other errors of the client library are lost answers. Errors that the server has answered are of these classes.
    if (isReply(error)) {
      const failure = answeredFailure(error);
      // A master that has become a replica stays one: another connection may lead to the new master.
      if (/^READONLY\b/.test(error.message) && client === this.#client) this.#lose(error);
      return failure;
    }
    return { is: 'lost', cause: error };
  }

  async #connect(): Promise<void> {
    const client = this.#newClient();
    const messages = this.#use === undefined ? undefined : this.#newClient();
    const destroyBoth = () => {
      destroy(client);
      if (messages !== undefined) destroy(messages);
    };
    let timer: Timer | undefined;
    try {
      const late = new Promise<never>((_, reject) => {
        timer = after(2 * this.#connectMs, () => {
          reject(new Error('the server did not complete the connection in time'));
        });
      });
      await Promise.race([this.#prepare(client, messages), late]);
      // One may have ended while the other was made.
      if (!client.isReady || messages?.isReady === false) throw new Error('it has ended again');
    } catch (error) {
      destroyBoth();
      const failure = isReply(error as Error) ? answeredFailure(error as Error) : undefined;
      if (failure?.is === 'failed') throw failure.error;
      // The check has found the server to be of no use.
      if ((error as Error).name === 'SharedMemoryError') throw error;
      throw unavailable(
        `cannot connect to the server: ${(error as Error).message || String(error)}`,
        error,
      );
    } finally {
      timer?.stop();
    }
    if (this.#isClosed) {
      destroyBoth();
      throw this.#why ?? new Error('closed');
    }
    this.#inFlight = new Set();
    this.#client = client;
    this.#messages = messages;
    if (messages !== undefined) this.#pingAgain(messages);
    this.#wakeAll();
    for (const listener of this.#upListeners) listener();
  }

  #newClient(): Client {
    const client = newClient(this.#options, this.#connectMs);
    // Without a listener, the error would end the process. It also comes where the connection is ended here.
    client.on('error', (error: Error) => {
      if (client === this.#client || client === this.#messages) this.#lose(error);
    });
    return client;
  }

  async #prepare(client: Client, messages: Client | undefined): Promise<void> {
    await client.connect();
    const use = this.#use;
    if (use === undefined || messages === undefined) return;
    await use.check((...args) => client.sendCommand<Answer>(args));
    await messages.connect();
    try {
      await messages.subscribe(use.channel, (message: Buffer) => use.onMessage(message), true);
    } catch (cause) {
      if (!isReply(cause as Error)) throw cause;
      const what = `the server denies access to the channel ${use.channel}`;
      throw new SharedMemoryError('EACCES', `${what}: ${(cause as Error).message}`, { cause });
    }
  }

  /** Nothing is asked by the connection for messages, so nothing else shows that it is half-open. */
  #pingAgain(messages: Client): void {
    this.#ping = after(
      this.#options.patienceMs,
      () => {
        if (messages !== this.#messages) return;
        this.#send(messages, ['PING']).catch(() => undefined);
        this.#pingAgain(messages);
      },
      false,
    );
  }

  /** The connection has ended, by whatever cause: all that is in flight is lost (W2). */
  #lose(cause: Error): void {
    if (this.#client === undefined) return;
    this.#why = cause;
    this.#drop(cause);
    if (!this.#isClosed) void this.#reconnect();
  }

  #drop(cause: Error): void {
    const both = [this.#client, this.#messages];
    this.#client = undefined;
    this.#messages = undefined;
    this.#ping?.stop();
    this.#why = cause;
    for (const client of both) if (client !== undefined) destroy(client);
  }

  async #reconnect(): Promise<void> {
    for (let most = leastBackoffMs; ; most = Math.min(2 * most, mostBackoffMs)) {
      await delay(backoffMs(most));
      if (this.#isClosed) return;
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (!this.#hasClosed()) this.#why = error as Error;
      }
    }
  }

  /** A method, because the compiler does not know that this changes during an await. */
  #hasClosed(): boolean {
    return this.#isClosed;
  }

  #wakeAll(): void {
    for (const wake of [...this.#wakers]) wake();
  }
}

/** A request is over before it was written as a whole. */
class GivenUp extends Error {}

function isA(error: Error, type: { readonly prototype: Error }): boolean {
  return Object.prototype.isPrototypeOf.call(type.prototype, error);
}

/** Whether the server has answered with this error. */
function isReply(error: Error): boolean {
  return isA(error, ErrorReply);
}

function destroy(client: Client): void {
  try {
    client.destroy();
  } catch (error) {
    // It has ended already, or has not begun.
    if (isCoded(error, 'ERR_INVALID_STATE')) return;
  }
}
