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

/** What is told of actions. */
const notAsync = 'the action, which wait() takes if it is async';

/** What a handle to a barrier has for itself. */
export interface NamedBarrierHandleOptions {
  /**
   * What the last party to arrive does before any is let go. It is done through the handle by which
   * that party waits. `wait()` awaits the promise that it may return; `waitSync()` cannot, and breaks the
   * barrier.
   */
  readonly action?: (() => unknown) | undefined;
  /** How long a wait lasts at most that does not say so itself, in milliseconds. Default: no limit. */
  readonly timeout?: number | undefined;
}

/** What {@link NamedBarrier.open} takes. */
export interface NamedBarrierOptions extends NamedBarrierHandleOptions, OpenOptions {
  /** How many have to arrive for all to go on. */
  readonly parties: number;
  /**
   * For how many threads there is room, up to 65,536: a thread counts from when it first waits
   * until it closes its last handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** What {@link NamedBarrier.create} takes. */
export interface NamedBarrierCreateOptions extends NamedBarrierOptions, CreateOptions {}

/** A barrier as plain data, to be sent to another process; see {@link NamedBarrier.toJSON}. */
export interface NamedBarrierHandle {
  readonly shmkit: 'barrier';
  readonly name: string;
}

const mostParties = 2 ** 30;

/** The least that a new one takes. */
const example = { parties: 4 };

/**
 * A place where a number of parties wait for each other: Python's `multiprocessing.Barrier`. When
 * the last has arrived all go on, and it is ready for the next time.
 *
 * Should a party go away before that (its time is over, its wait is called off, its handle is
 * closed, it is killed), the barrier is broken: those who wait get `ERR_BROKEN_BARRIER`, as do all
 * who come, until {@link reset}. A death is noticed within some tens of milliseconds.
 *
 * Tasks of one thread are parties each.
 */
export class NamedBarrier extends NamedObject implements contract.Barrier {
  declare readonly shmkit: 'barrier';
  readonly #state: BarrierState;
  readonly #action: (() => unknown) | undefined;
  readonly #timeout: number | undefined;
  /** The parties that arrived through this handle and wait. */
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
        throw attachment.error(
          'ERR_CORRUPT',
          'has a header that makes no sense; unlink() removes it',
        );
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
   * Attaches to a barrier that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a barrier that this process can use.
   */
  static attach(name: string, options: NamedBarrierHandleOptions = {}): NamedBarrier {
    checkOptions(options, ['action', 'timeout']);
    return new NamedBarrier(toAttach('barrier', name), options);
  }

  /**
   * Attaches to a barrier, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `participants` and `mode` count. `action` and `timeout` are each
   * handle's own.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` it is there for another number of parties; and as
   * {@link NamedBarrier.create} (but `EEXIST`) and {@link NamedBarrier.attach}.
   */
  static open(name: string, options: NamedBarrierOptions): NamedBarrier {
    systemName('barrier', name);
    const known = ['mode', 'parties', 'action', 'timeout', 'participants'];
    checkOptions(options, known, example);
    const request = toOpen('barrier', name, options, contentsOf(options));
    return new NamedBarrier(request, options, options.parties);
  }

  /** Removes a name. Whoever is attached keeps the barrier until they close. */
  static unlink(name: string): void {
    unlinkObject('barrier', name);
  }

  /** How many have to arrive for all to go on. */
  get parties(): number {
    return this.#state.parties;
  }

  /** For how many threads there is room. */
  get participants(): number {
    return this.#state.participants;
  }

  /**
   * How many wait, at the instant of asking.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get waiting(): number {
    this.attachment.open();
    settleOperations();
    return this.#state.waiting();
  }

  /**
   * Whether it is broken.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get broken(): boolean {
    this.attachment.open();
    settleOperations();
    return this.#state.broken();
  }

  /**
   * Arrives, and waits for the others without blocking anything.
   *
   * @returns which of the parties it was to arrive, from 0.
   * @throws SharedMemoryError `ERR_BROKEN_BARRIER`, `ERR_CLOSED`, `ERR_CAPACITY`; `ERR_TIMEOUT`, and
   * the signal's reason when it aborts: both break the barrier. What the action throws, which does so
   * too.
   */
  async wait(options?: WaitOptions): Promise<number> {
    this.attachment.open();
    const { timeout: own, signal } = waitOf(options);
    const timeout = options?.timeout === undefined ? this.#timeout : own;
    const deadline = deadlineOf(timeout);
    const arrival = await this.#state.turn.wait(this.#arrive(timeout, signal));
    try {
      if (arrival.isLast) return await this.#actAsync(arrival);
      return await this.#state.turn.wait(this.#await(arrival, timeout, deadline, signal));
    } finally {
      this.#here.delete(arrival);
    }
  }

  /**
   * Arrives, and waits for the others, blocking this thread.
   *
   * @returns which of the parties it was to arrive, from 0.
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
      if (arrival.isLast) return this.#act(arrival);
      return this.#state.turn.waitSync(this.#await(arrival, timeout, deadline));
    } finally {
      if (arrival !== undefined) this.#here.delete(arrival);
      endHeldOperation(operation);
    }
  }

  /** Breaks it. Does not block. */
  abort(): void {
    this.attachment.open();
    settleOperations();
    this.#state.break();
  }

  /**
   * Makes it as new. Those who wait get `ERR_BROKEN_BARRIER`. Does not block.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  reset(): void {
    this.attachment.open();
    settleOperations();
    this.#state.reset();
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): NamedBarrierHandle {
    return { shmkit: 'barrier', name: this.name };
  }

  #arrive(timeout: number | undefined, signal?: AbortSignal): Wait<Arrival> {
    return {
      handle: this,
      attempt: (look) => {
        beginOperation(this.#state.arrival());
        const arrival = this.#state.arrive(look);
        if (typeof arrival === 'object') this.#here.add(arrival);
        endOperation();
        if (arrival === 'broken') throw this.#brokenError();
        return arrival;
      },
      timeout,
      signal,
      // Before it has arrived nobody counts on it.
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
        // All others may have come in the last moment.
        if (this.#state.outcome(arrival, false) === 'passed') return arrival.index;
        const missing = `not all of its ${this.parties} parties came within ${timeout} ms`;
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
    const what = 'is broken: a party left it, died, or aborted it; reset() makes it as new';
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
