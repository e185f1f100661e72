import type * as contract from '../../contract/index';
import { unlinkObject, type Request } from '../core/attachment';
import { deadlineOf, remaining } from '../core/clock';
import { Lock } from '../core/lock';
import type { Holder } from '../core/lock-seat';
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
import { endHeldOperation, holdOperation, settleOperations } from '../core/operations';
import type { Wait } from '../core/word';
import {
  checkInteger,
  checkOptions,
  timeoutOf,
  throwIfAborted,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { atOnce, checkSyncCallback, type NotAPromise } from '../../common/sync-callbacks';
import { ConditionState, type Waiting } from './condition-state';

/** What {@link NamedCondition.open} takes. */
export interface NamedConditionOptions extends OpenOptions {
  /**
   * For how many threads there is room, up to 65,536: a thread counts from when it first waits
   * until it closes its last handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** What {@link NamedCondition.create} takes. */
export interface NamedConditionCreateOptions extends NamedConditionOptions, CreateOptions {}

/** A condition as plain data, to be sent to another process; see {@link NamedCondition.toJSON}. */
export interface NamedConditionHandle {
  readonly shmkit: 'condition';
  readonly name: string;
}

/**
 * A lock, and waiting under it for something that others change under it: Python's
 * `multiprocessing.Condition`.
 *
 * A notification reaches as many of those who wait as it says, none of whom came after it. One that
 * reached a process which was killed before it went on is passed to another. A process that is
 * killed while it waits is noticed by nobody. There are no spurious wake-ups; but between a
 * notification and the moment one has the lock again others may have had it, so look again, as
 * {@link waitFor} does.
 *
 * Tasks of one thread go on in the order in which they began to wait. Between threads no order is
 * kept.
 */
export class NamedCondition extends NamedObject implements contract.Condition {
  declare readonly shmkit: 'condition';
  readonly #lock: Lock;
  readonly #state: ConditionState;
  /** Waits that are over but for the lock, and whether they were notified. */
  readonly #over = new Set<{ readonly isNotified: boolean }>();

  private constructor(request: Request) {
    super(request);
    const { seat } = this.attachment;
    try {
      this.#state = seat.state(() => new ConditionState(seat));
    } catch (error) {
      this.attachment.close();
      throw error;
    }
    this.#lock = new Lock(this.attachment, this);
  }

  /**
   * Makes a new condition.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create(options: NamedConditionCreateOptions = {}): NamedCondition {
    checkOptions(options, ['name', 'mode', 'participants']);
    return new NamedCondition(toCreate('condition', options, contentsOf(options)));
  }

  /**
   * Attaches to a condition that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a condition that this process can use.
   */
  static attach(name: string): NamedCondition {
    return new NamedCondition(toAttach('condition', name));
  }

  /**
   * Attaches to a condition, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its options count.
   *
   * @throws SharedMemoryError as {@link NamedCondition.create} (but `EEXIST`) and
   * {@link NamedCondition.attach}.
   */
  static open(name: string, options: NamedConditionOptions = {}): NamedCondition {
    checkOptions(options, ['mode', 'participants']);
    return new NamedCondition(toOpen('condition', name, options, contentsOf(options)));
  }

  /** Removes a name. Whoever is attached keeps the condition until they close. */
  static unlink(name: string): void {
    unlinkObject('condition', name);
  }

  /** For how many threads there is room. */
  get participants(): number {
    return this.#state.participants;
  }

  /** The lock, under which everything else here is done. */
  get lock(): Lock {
    return this.#lock;
  }

  /**
   * Gives the lock up, waits for a notification without blocking anything, and acquires the lock
   * again; also before it rejects, so that the guard of the lock is good in either case (but not
   * after {@link close}).
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle;
   * `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_CAPACITY`; the signal's reason when it aborts.
   */
  async wait(options?: WaitOptions): Promise<void> {
    const { timeout, signal } = waitOf(options);
    await this.#waitWithin(timeout, timeout, signal);
  }

  async #waitWithin(
    left: number | undefined,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    throwIfAborted(signal);
    settleOperations();
    const waiting = this.#state.waiting();
    holdOperation(waiting);
    const guard = this.#begin(waiting);
    try {
      const wait = this.#wait(left, timeout, signal);
      await this.#state.notified.wait({ ...wait, beginning: waiting });
    } catch (reason) {
      if (this.#end(guard, await this.#acquireAgain(false), false)) return;
      throw reason;
    }
    this.#end(guard, await this.#acquireAgain(true), true);
  }

  /**
   * Gives the lock up, waits for a notification, blocking this thread, and acquires the lock again;
   * also before it throws.
   *
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle;
   * `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  waitSync(options?: TimeoutOptions): void {
    const timeout = timeoutOf(options);
    this.#waitSyncWithin(timeout, timeout);
  }

  #waitSyncWithin(left: number | undefined, timeout: number | undefined): void {
    settleOperations();
    const waiting = this.#state.waiting();
    holdOperation(waiting);
    try {
      this.#blockWithin(left, timeout, waiting);
    } finally {
      endHeldOperation(waiting);
    }
  }

  #blockWithin(left: number | undefined, timeout: number | undefined, waiting: Waiting): void {
    const guard = this.#begin(waiting);
    try {
      this.#state.notified.waitSync(this.#wait(left, timeout, undefined, waiting));
    } catch (reason) {
      if (this.#end(guard, this.lock.acquireScoped(), false, waiting)) return;
      throw reason;
    }
    this.#end(guard, this.lock.acquireScoped(), true, waiting);
  }

  /**
   * Waits until the predicate is true, looking now and after each notification; always under the
   * lock. See {@link wait}.
   *
   * @returns what the predicate returned.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the predicate is async: a promise is neither true nor false.
   */
  async waitFor<T>(predicate: () => NotAPromise<T>, options?: WaitOptions): Promise<T> {
    checkPredicate(predicate);
    const { timeout, signal } = waitOf(options);
    this.#checkHeld();
    const deadline = deadlineOf(timeout);
    for (;;) {
      const result = atOnce<T>(predicate(), notAsync);
      if (result) return result;
      await this.#waitWithin(remaining(deadline), timeout, signal);
    }
  }

  /** The same as {@link waitFor}, blocking this thread. See {@link waitSync}. */
  waitForSync<T>(predicate: () => NotAPromise<T>, options?: TimeoutOptions): T {
    checkPredicate(predicate);
    const timeout = timeoutOf(options);
    this.#checkHeld();
    const deadline = deadlineOf(timeout);
    for (;;) {
      const result = atOnce<T>(predicate(), notAsync);
      if (result) return result;
      this.#waitSyncWithin(remaining(deadline), timeout);
    }
  }

  /**
   * Lets some of those who wait go on, when the lock is released. Does not block.
   *
   * @param count - how many at most. Default 1.
   * @returns how many there were.
   * @throws SharedMemoryError `ERR_NOT_HELD` the lock is not held through this handle.
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  notify(count = 1): number {
    checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER);
    settleOperations();
    this.#checkHeld();
    return this.#state.notify(count);
  }

  /** Lets all who wait go on; as {@link notify}. */
  notifyAll(): number {
    settleOperations();
    this.#checkHeld();
    return this.#state.notify(Infinity);
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): NamedConditionHandle {
    return { shmkit: 'condition', name: this.name };
  }

  #checkHeld(): void {
    this.attachment.open();
    if (this.lock.held) return;
    throw this.attachment.error('ERR_NOT_HELD', 'has a lock that is not held through this handle');
  }

  #begin(waiting?: Waiting): Holder {
    this.#checkHeld();
    this.#state.enter(waiting);
    return this.attachment.seat.suspend();
  }

  /**
   * @param left - how long it may wait yet.
   * @param timeout - of how long in all.
   */
  #wait(
    left: number | undefined,
    timeout?: number,
    signal?: AbortSignal,
    waiting?: Waiting,
  ): Wait<true> {
    return {
      handle: this,
      timeout: left,
      signal,
      attempt: (look) => this.#state.claim(look, waiting),
      expired: (limit) => {
        const within = `${timeout ?? limit} ms`;
        throw this.attachment.error('ERR_TIMEOUT', `was not notified within ${within}`);
      },
    };
  }

  async #acquireAgain(isNotified: boolean): Promise<Holder> {
    const over = { isNotified };
    // Waits that were given up by closing are accounted for.
    if (!this.closed) this.#over.add(over);
    try {
      return await this.lock.acquire();
    } finally {
      this.#over.delete(over);
    }
  }

  /**
   * The wait is over and the lock is held again, by the guard of old from here on.
   *
   * @returns whether it was notified, be it after the wait was given up and before the lock was back.
   */
  #end(guard: Holder, again: Holder, isNotified: boolean, waiting?: Waiting): boolean {
    this.attachment.seat.resume(guard, again);
    const isSo = isNotified || this.#state.claim(false, waiting) === true;
    this.#state.leave(isSo, waiting);
    return isSo;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment, lock } = this;
    if (!lock.held) {
      const waiting = this.#state.notified.giveUp(this, attachment.closedMeanwhile());
      if (!attachment.hasEnded) {
        this.#state.forget(waiting);
        for (const { isNotified } of this.#over) this.#state.leave(isNotified);
      }
    }
    attachment.close(lock);
  }
}

const notAsync = 'the predicate, which has to be true or not at once';

function checkPredicate(predicate: unknown): void {
  checkSyncCallback('predicate', predicate, notAsync);
}

function contentsOf({ participants = defaultParticipants }: NamedConditionOptions): Contents {
  checkInteger('participants', participants, 1, mostParticipants);
  return { type: 0, length: 0, wordsBytes: rosterBytes(participants), dataBytes: 0 };
}
