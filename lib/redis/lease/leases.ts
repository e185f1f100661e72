import path from 'node:path';
import process from 'node:process';
import { Worker } from 'node:worker_threads';
import type { Answered, Wire, WireOptions } from '../wire/wire';
import { Hold } from './hold';
import { Renewer, reliedOnMs, type Held } from './renewer';
import type { News, Order } from './renewer-thread';
import type { RenewalName } from './renewals';
import { LeaseEnd, Slots, type Place } from './slots';

/** Where leases are renewed. */
export type RenewIn = 'thread' | 'event-loop';

/** The thread's file, beside the one that this code is bundled into. */
const threadFile = path.join(__dirname, 'renewer-thread.js');

/** How a lease is named and renewed. */
export interface LeaseSubject {
  readonly renewal: RenewalName;
  readonly keys: readonly string[];
  readonly token: string;
  /** What the script needs besides the token and the length of the lease. */
  readonly more?: readonly Uint8Array[];
  readonly leaseMs: number;
  /** What messages call it. */
  readonly called: string;
}

/**
 * All leases that a process holds by one connection. Where the thread cannot run, or ends by itself, the event loop
 * renews all of them from then on, and a warning says so.
 */
export class Leases {
  readonly #wire: Wire;
  readonly #options: WireOptions;
  #renewIn: RenewIn;
  readonly #slots = new Slots();
  readonly #holds = new Map<number, Hold>();
  /** How each of them is renewed. */
  readonly #held = new Map<number, Held>();
  /** Places that the thread may still write to: it has not heard yet that the lease is given back. */
  readonly #leaving = new Map<number, Place>();
  #lastId = 0;
  #renewer: Renewer | undefined;
  #thread: Worker | undefined;
  #isThreadUp: Promise<void> | undefined;
  #isClosed = false;

  constructor(wire: Wire, options: WireOptions, renewIn: RenewIn) {
    this.#wire = wire;
    this.#options = options;
    this.#renewIn = renewIn;
  }

  /** Begins to renew a lease that the server has just granted. */
  begin(subject: LeaseSubject, { sentAtMs, sentAtWallMs }: Answered): Hold {
    const id = ++this.#lastId;
    const place = this.#slots.take();
    const end = new LeaseEnd(place);
    const ms = reliedOnMs(subject.leaseMs);
    end.begin(sentAtMs + ms, sentAtWallMs + ms);
    const { renewal, keys, token, more = [], leaseMs, called } = subject;
    const hold = new Hold(end, called, () => {
      this.#holds.delete(id);
      this.#held.delete(id);
      this.#leaving.set(id, place);
      this.#tell({ remove: id });
    });
    this.#holds.set(id, hold);
    const held: Held = { id, renewal, keys, token, more, leaseMs, place };
    this.#tell({ add: held });
    this.#held.set(id, held);
    return hold;
  }

  /** Starts the thread before it is needed. Resolves when it is connected. */
  async prepare(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#renewIn === 'thread') this.#startThread();
    await this.#isThreadUp;
  }

  /** Ends the renewal of all leases: they are lost. */
  close(): void {
    if (this.#isClosed) return;
    this.#tell('close');
    this.#isClosed = true;
    this.#renewer?.close();
    for (const hold of [...this.#holds.values()]) hold.lose();
  }

  #tell(order: Order): void {
    if (this.#isClosed) return;
    if (this.#renewIn === 'thread' && order !== 'close') this.#startThread();
    // It is another one now, where the thread could not be started.
    if (this.#renewIn === 'thread') {
      this.#thread?.postMessage(order);
      return;
    }
    this.#renewer ??= new Renewer(this.#wire, (id) => this.#holds.get(id)?.lose());
    if (order === 'close') this.#renewer.close();
    else if ('add' in order) this.#renewer.add(order.add);
    else {
      this.#renewer.remove(order.remove);
      this.#left(order.remove);
    }
  }

  #left(id: number): void {
    const place = this.#leaving.get(id);
    this.#leaving.delete(id);
    if (place !== undefined) this.#slots.giveBack(place);
  }

  #startThread(): void {
    if (this.#thread !== undefined) return;
    let thread: Worker;
    try {
      thread = new Worker(threadFile, {
        workerData: this.#options,
        name: 'shmkit leases',
        // It needs nothing of what the program gives its own threads.
        execArgv: [],
        argv: [],
      });
    } catch (error) {
      this.#doWithout(error);
      return;
    }
    this.#thread = thread;
    thread.unref();
    let tellUp!: () => void;
    this.#isThreadUp = new Promise((resolve) => (tellUp = resolve));
    thread.on('message', ({ isUp, lost, removed }: News) => {
      if (isUp === true) tellUp();
      if (lost !== undefined) this.#holds.get(lost)?.lose();
      if (removed !== undefined) this.#left(removed);
    });
    let why: unknown;
    thread.on('error', (error) => (why = error));
    thread.on('exit', () => {
      tellUp();
      // It writes to no place any more.
      for (const id of [...this.#leaving.keys()]) this.#left(id);
      if (!this.#isClosed) this.#doWithout(why ?? new Error('it was terminated'));
    });
  }

  /** The thread cannot run. What is held must be renewed nevertheless. */
  #doWithout(cause: unknown): void {
    this.#renewIn = 'event-loop';
    this.#thread = undefined;
    const why = cause instanceof Error ? cause.message : String(cause);
    process.emitWarning(
      `the thread that renews leases cannot run: ${why}. Leases are renewed by the event loop from now on, ` +
        'and are lost while it is blocked for longer than a lease',
      { type: 'SharedMemoryWarning', code: 'ERR_UNAVAILABLE' },
    );
    for (const held of this.#held.values()) this.#tell({ add: held });
  }
}
