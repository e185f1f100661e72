import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { Request, unlinkObject } from '../core/attachment';
import { deadlineOf, remaining } from '../core/clock';
import { checkConstruction } from '../core/construction';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { defaultParticipants, mostParticipants, rosterBytes } from '../core/roster';
import { systemName } from '../core/names';
import {
  checkInteger,
  checkOptions,
  checkTimeout,
  waitOf,
  timeoutOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { checkCallback, checkSyncCallback } from '../../common/sync-callbacks';
import { callForeign } from '../core/foreign';
import {
  beginOperation,
  endHeldOperation,
  endOperation,
  holdOperation,
  settleOperations,
} from '../core/operations';
import type { Wait } from '../core/word';
import { BarrierState, type Arrival } from './barrier-state';

/** What messages say about actions. */
const notAsync = 'the action must be synchronous (use wait() for async actions)';

/** Options that belong to a handle to a barrier, and not to the barrier. */
export interface NamedBarrierHandleOptions {
  /**
   * A function that the last party to arrive runs before any party goes on. The function of the handle
   * through which that party waits is used. It may return a promise: `wait()` awaits it; `waitSync()` cannot,
   * and breaks the barrier.
   */
  readonly action?: (() => unknown) | undefined;
  /** The time limit in milliseconds for waits that do not specify one. Default: no limit. */
  readonly timeout?: number | undefined;
}

/** Options of {@link NamedBarrier.open}. */
export interface NamedBarrierOptions extends NamedBarrierHandleOptions, OpenOptions {
  /** How many parties must arrive before all go on. */
  readonly parties: number;
  /**
   * The maximum number of threads, up to 65,536. A thread counts from its first wait until it closes its last
   * handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** Options of {@link NamedBarrier.create}. */
export interface NamedBarrierCreateOptions extends NamedBarrierOptions, CreateOptions {}

/** The plain-data form of a barrier, to be sent to another process; see {@link NamedBarrier.toJSON}. */
export interface NamedBarrierHandle {
  readonly shmkit: 'barrier';
  readonly name: string;
}

const mostParties = 2 ** 30;

/** The minimum options of a new barrier. */
const example = { parties: 4 };

/**
 * A point at which a number of parties wait for each other: Python's `multiprocessing.Barrier`. When the last
 * party has arrived, all go on, and the barrier is ready for the next time.
 *
 * If a party leaves before that, the barrier is broken. A party leaves when its time limit is over, its wait
 * is aborted, its handle is closed, or it is killed. Waiters then get `ERR_BROKEN_BARRIER`, and so does every
 * party that arrives, until {@link reset}. A death is noticed within some tens of milliseconds.
 *
 * Each task of a thread is a party of its own.
 */
export class NamedBarrier extends NamedObject implements contract.Barrier {
  declare readonly shmkit: 'barrier';
  readonly #state: BarrierState;
  readonly #action: (() => unknown) | undefined;
  readonly #timeout: number | undefined;
  /** The parties that arrived through this handle and are waiting. */
  readonly #here = new Set<Arrival>();

  private constructor(request: Request, options: NamedBarrierHandleOptions, parties?: number) {
    checkConstruction(request instanceof Request, new.target);
    checkAction(options.action);
    const timeout = checkTimeout(options.timeout);
    super(request);
    const { attachment } = this;
    const { seat } = attachment;
    try {
      if (seat.length < 1 || seat.length > mostParties) {
        throw attachment.error('ERR_CORRUPT', 'has an invalid header; unlink() removes it');
      }
      this.#state = seat.state(() => new BarrierState(seat));
      if (parties !== undefined && parties !== this.parties) {
        throw attachment.error('ERR_WRONG_KIND', `is for ${this.parties} parties, not ${parties}`);
      }
    } catch (error) {
      attachment.close();
      throw error;
    }
    this.#action = options.action;
    this.#timeout = timeout;
  }

  /**
   * Makes a new barrier.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create(options: NamedBarrierCreateOptions): NamedBarrier {
    const known = ['name', 'mode', 'parties', 'action', 'timeout', 'participants'];
    checkOptions(options, known, example);
    const contents = contentsOf(options);
    return new NamedBarrier(toCreate('barrier', options, contents), options, options.parties);
  }

  /**
   * Attaches to an existing barrier.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a barrier that this process can use.
   */
  static attach(name: string, options: NamedBarrierHandleOptions = {}): NamedBarrier {
    checkOptions(options, ['action', 'timeout']);
    return new NamedBarrier(toAttach('barrier', name), options);
  }

  /**
   * Attaches to a barrier, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the barrier, with its own `participants` and `mode`. `action` and `timeout`
   * belong to each handle.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` a barrier exists for another number of parties; and as
   * {@link NamedBarrier.create} (except `EEXIST`) and {@link NamedBarrier.attach}.
   */
  static open(name: string, options: NamedBarrierOptions): NamedBarrier {
    systemName('barrier', name);
    const known = ['mode', 'parties', 'action', 'timeout', 'participants'];
    checkOptions(options, known, example);
    const request = toOpen('barrier', name, options, contentsOf(options));
    return new NamedBarrier(request, options, options.parties);
  }

  /** Removes a name. Processes that are attached keep the barrier until they close it. */
  static unlink(name: string): void {
    unlinkObject('barrier', name);
  }

  /** How many parties must arrive before all go on. */
  get parties(): number {
    return this.#state.parties;
  }

  /** The maximum number of threads. */
  get participants(): number {
    return this.#state.participants;
  }

  /**
   * How many parties wait at this instant.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get waiting(): number {
    this.attachment.open();
    settleOperations();
    return this.#state.waiting();
  }

  /**
   * Whether the barrier is broken.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get broken(): boolean {
    this.attachment.open();
    settleOperations();
    return this.#state.broken();
  }

  /**
   * Arrives, and waits for the other parties without blocking anything.
   *
   * @returns the position in which this party arrived, from 0.
   * @throws SharedMemoryError `ERR_BROKEN_BARRIER`, `ERR_CLOSED`, `ERR_CAPACITY`; `ERR_TIMEOUT`, or the
   * signal's reason when it aborts: both break the barrier. What the action throws; this breaks the barrier
   * too.
   */
  async wait(options?: WaitOptions): Promise<number> {
    this.attachment.open();
    const { timeout: own, signal } = waitOf(options);
    const timeout = options?.timeout === undefined ? this.#timeout : own;
    const deadline = deadlineOf(timeout);
    const arrival = await this.#state.turn.wait(this.#arrive(timeout, signal));
    try {
      if (arrival.acts) return await this.#actAsync(arrival);
      // An abort comes too late: the others have been let go on.
      if (arrival.hasPassed) return arrival.index;
      return await this.#state.turn.wait(this.#await(arrival, timeout, deadline, signal));
    } finally {
      this.#here.delete(arrival);
    }
  }

  /**
   * Arrives, and waits for the other parties, blocking this thread.
   *
   * @returns the position in which this party arrived, from 0.
   * @throws SharedMemoryError as {@link wait}
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the action is async; the barrier is broken.
   */
  waitSync(options?: TimeoutOptions): number {
    this.attachment.open();
    settleOperations();
    const own = timeoutOf(options);
    const timeout = options?.timeout === undefined ? this.#timeout : own;
    const deadline = deadlineOf(timeout);
    const operation = this.#state.arrival();
    holdOperation(operation);
    let arrival: Arrival | undefined;
    try {
      arrival = this.#state.turn.waitSync(this.#arrive(timeout));
      if (arrival.acts) return this.#act(arrival);
      if (arrival.hasPassed) return arrival.index;
      return this.#state.turn.waitSync(this.#await(arrival, timeout, deadline));
    } finally {
      if (arrival !== undefined) this.#here.delete(arrival);
      endHeldOperation(operation);
    }
  }

  /** Breaks the barrier. Does not block. */
  abort(): void {
    this.attachment.open();
    settleOperations();
    this.#state.break();
  }

  /**
   * Resets the barrier to its initial state. Waiters get `ERR_BROKEN_BARRIER`. Does not block.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  reset(): void {
    this.attachment.open();
    settleOperations();
    this.#state.reset();
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedBarrierHandle {
    return { shmkit: 'barrier', name: this.name };
  }

  #arrive(timeout: number | undefined, signal?: AbortSignal): Wait<Arrival> {
    return {
      handle: this,
      attempt: (look) => {
        this.#state.prepare();
        beginOperation(this.#state.arrival());
        const arrival = this.#state.arrive(look, this.#action !== undefined);
        if (typeof arrival === 'object') this.#here.add(arrival);
        endOperation();
        if (arrival === 'broken') throw this.#brokenError();
        return arrival;
      },
      timeout,
      signal,
      // A party that has not arrived yet is not counted on, so the barrier is not broken.
      expired: (limit) => {
        throw this.attachment.error('ERR_TIMEOUT', `was busy for ${limit} ms`);
      },
    };
  }

  #await(
    arrival: Arrival,
    timeout: number | undefined,
    deadline: number | undefined,
    signal?: AbortSignal,
  ): Wait<number> {
    const outcomeOf = (look: boolean): number | undefined => {
      this.attachment.open();
      const outcome = this.#state.outcome(arrival, look);
      if (outcome === 'broken') throw this.#brokenError();
      return outcome && arrival.index;
    };
    return {
      handle: this,
      attempt: outcomeOf,
      timeout: remaining(deadline),
      signal,
      expired: () => {
        this.#state.break(arrival.generation);
        // All other parties may have arrived at the last moment.
        if (this.#state.outcome(arrival, false) === 'passed') return arrival.index;
        const missing = `not all of its ${this.parties} parties arrived within ${timeout} ms`;
        throw this.attachment.error('ERR_TIMEOUT', `is broken: ${missing}`);
      },
      calledOff: () => this.#state.break(arrival.generation),
    };
  }

  #act(arrival: Arrival): number {
    try {
      if (this.#action !== undefined) {
        checkSyncCallback('action', this.#action, notAsync);
        callForeign(this.#action, undefined, notAsync);
      }
    } catch (error) {
      if (!this.closed) this.#state.break(arrival.generation);
      throw error;
    }
    return this.#pass(arrival);
  }

  async #actAsync(arrival: Arrival): Promise<number> {
    try {
      await this.#action?.();
    } catch (error) {
      if (!this.closed) this.#state.break(arrival.generation);
      throw error;
    }
    return this.#pass(arrival);
  }

  #pass(arrival: Arrival): number {
    this.attachment.open();
    if (this.#state.pass(arrival)) return arrival.index;
    throw this.#brokenError();
  }

  #brokenError() {
    const what = 'is broken: a party left it, died, or aborted it; reset() makes it usable again';
    return this.attachment.error('ERR_BROKEN_BARRIER', what);
  }

  /** @internal */
  protected override letGo(): void {
    this.#state.turn.giveUp(this, this.attachment.closedMeanwhile());
    if (!this.attachment.hasEnded) {
      for (const { generation } of this.#here) this.#state.break(generation);
    }
    this.attachment.close();
  }
}

function checkAction(action: unknown): void {
  if (action !== undefined) checkCallback('action', action);
}

function contentsOf({ parties, participants }: NamedBarrierOptions): Contents {
  checkInteger('parties', parties, 1, mostParties);
  const room = participants ?? Math.max(defaultParticipants, Math.min(parties, mostParticipants));
  checkInteger('participants', room, 1, mostParticipants);
  return { type: 0, length: parties, wordsBytes: rosterBytes(room), dataBytes: 0 };
}

tellClass('barrier', NamedBarrier);
