import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { changedBy } from '../core/assignments';
import { unlinkObject, type Request } from '../core/attachment';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import type { Contents } from '../core/object-seat';
import { Use } from '../core/holders';
import { defaultParticipants, mostParticipants, rosterBytes } from '../core/roster';
import { outOfRange } from '../../common/errors';
import {
  checkBoolean,
  checkInteger,
  checkOptions,
  timeoutOf,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { Waiting } from '../core/turns';
import { SemaphoreGuard } from './semaphore-guard';
import { SemaphoreState, initialWords, mostPermits, type Permit } from './semaphore-state';

/** Options of {@link NamedSemaphore.open}. */
export interface NamedSemaphoreOptions extends OpenOptions {
  /** The number of permits of a new semaphore. Default 1. */
  readonly value?: number | undefined;
  /**
   * The maximum number of permits. A release beyond that throws, because nobody can have acquired the permits
   * that it gives back. Default: no maximum.
   */
  readonly max?: number | undefined;
  /**
   * Whether a permit belongs to the thread that acquired it, and comes back when that thread dies. Switch it
   * off for a semaphore that counts things, such as the free places of a buffer: its permits are acquired by
   * one process and released by another. Default true.
   */
  readonly robust?: boolean | undefined;
  /**
   * The maximum number of threads, up to 65,536. A thread counts from its first acquisition until it closes
   * its last handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** Options of {@link NamedSemaphore.create}. */
export interface NamedSemaphoreCreateOptions extends NamedSemaphoreOptions, CreateOptions {}

/** The plain-data form of a semaphore, to be sent to another process; see {@link NamedSemaphore.toJSON}. */
export interface NamedSemaphoreHandle {
  readonly shmkit: 'semaphore';
  readonly name: string;
}

/**
 * A number of permits that threads of any process acquire and release: Python's `multiprocessing.Semaphore`,
 * and with {@link NamedSemaphoreOptions.max} its `BoundedSemaphore`.
 *
 * The initial permits belong to the thread that acquires them. When the thread dies, they come back. Any
 * thread may release a permit. If the releasing thread holds none, a permit is taken from another thread that
 * does. A release when no thread holds a permit adds an extra permit. Whoever acquires it first uses it up.
 * So a semaphore made with the value 0 counts signals.
 *
 * Tasks of one thread get permits in the order in which they asked. Between threads there is no fixed order,
 * but a thread that has waited for about ten milliseconds is served before threads that come later.
 */
export class NamedSemaphore extends NamedObject implements contract.Semaphore {
  declare readonly shmkit: 'semaphore';
  readonly #state: SemaphoreState;
  /** The number of permits that were acquired through this handle and not released. */
  readonly #use = new Use(this);

  private constructor(request: Request, { max, robust }: NamedSemaphoreOptions = {}) {
    super(request);
    const { attachment } = this;
    const { seat } = attachment;
    try {
      if (seat.length > mostPermits) {
        throw attachment.error('ERR_CORRUPT', 'has an invalid header; unlink() removes it');
      }
      this.#state = seat.state(() => new SemaphoreState(seat));
      if (max !== undefined && max !== this.#state.max) {
        const bound = this.#state.max === undefined ? 'no max' : `a max of ${this.#state.max}`;
        throw attachment.error('ERR_WRONG_KIND', `has ${bound}, but max: ${max} was requested`);
      }
      if (robust !== undefined && robust !== this.robust) {
        const what = this.robust ? 'is robust' : 'is not robust';
        throw attachment.error('ERR_WRONG_KIND', `${what}, but robust: ${robust} was requested`);
      }
    } catch (error) {
      attachment.close();
      throw error;
    }
  }

  /**
   * Makes a new semaphore.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, RangeError `ERR_OUT_OF_RANGE`
   */
  static create(options: NamedSemaphoreCreateOptions = {}): NamedSemaphore {
    checkOptions(options, ['name', 'mode', 'value', 'max', 'robust', 'participants']);
    return new NamedSemaphore(toCreate('semaphore', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing semaphore.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a semaphore that this process can use.
   */
  static attach(name: string): NamedSemaphore {
    return new NamedSemaphore(toAttach('semaphore', name));
  }

  /**
   * Attaches to a semaphore, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the semaphore, with its own `value`, `participants` and `mode`. If `max` and
   * `robust` are given, they must be those of the existing semaphore.
   *
   * @throws SharedMemoryError `ERR_WRONG_KIND` a semaphore exists with another `max` or `robust`; and as
   * {@link NamedSemaphore.create} (except `EEXIST`) and {@link NamedSemaphore.attach}.
   */
  static open(name: string, options: NamedSemaphoreOptions = {}): NamedSemaphore {
    checkOptions(options, ['mode', 'value', 'max', 'robust', 'participants']);
    return new NamedSemaphore(toOpen('semaphore', name, options, contentsOf(options)), options);
  }

  /** Removes a name. Processes that are attached keep the semaphore until they close it. */
  static unlink(name: string): void {
    unlinkObject('semaphore', name);
  }

  /**
   * How many permits are available at this instant, including those of threads that died. It may have changed
   * by the time you use the answer.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get value(): number {
    this.attachment.open();
    return this.#state.value();
  }

  /** The maximum number of permits, or undefined when there is none. */
  get max(): number | undefined {
    return this.#state.max;
  }

  /** Whether a permit comes back when the thread that acquired it dies. */
  get robust(): boolean {
    return this.#state.robust;
  }

  /** The maximum number of threads. */
  get participants(): number {
    return this.#state.participants;
  }

  /**
   * Acquires a permit, blocking this thread until there is one.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_CAPACITY` more threads hold permits than
   * there is room for.
   */
  acquireSync(options?: TimeoutOptions): SemaphoreGuard {
    this.attachment.open();
    const timeout = timeoutOf(options);
    return this.#take(false) ?? this.#acquireSlowly(timeout);
  }

  /**
   * Acquires a permit without blocking anything.
   *
   * @throws SharedMemoryError as {@link acquireSync}; the signal's reason when it aborts.
   */
  async acquire(options?: WaitOptions): Promise<SemaphoreGuard> {
    this.attachment.open();
    const { timeout, signal } = waitOf(options);
    const waiting = new Waiting();
    return this.#state.freed.wait<SemaphoreGuard>({
      handle: this,
      attempt: (look) => this.#take(look, waiting),
      timeout,
      signal,
      expired: (limit) => this.#expire(limit, waiting),
      calledOff: () => this.#state.withdraw(waiting),
    });
  }

  /**
   * Acquires a permit if there is one and no task of this thread waits for one. Does not block.
   *
   * @returns null when there is none.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  tryAcquire(): SemaphoreGuard | null {
    this.attachment.open();
    if (this.#state.freed.awaited) return null;
    return this.#take(true) ?? null;
  }

  /**
   * Releases permits, whichever thread acquired them, or adds new ones. Does not block.
   *
   * @param count - how many permits. Default 1.
   * @throws SharedMemoryError `ERR_NOT_HELD` there would be more permits than {@link max}; nothing was
   * released.
   * @throws RangeError `ERR_OUT_OF_RANGE`
   */
  release(count = 1): void {
    this.attachment.open();
    checkInteger('count', count, 1, mostPermits);
    this.#release(count);
    this.#state.offer();
  }

  /** @internal A guard is about to release its permit. */
  beginRelease(): void {
    this.attachment.open();
    this.#state.beginRelease(this.#use);
  }

  /** @internal Releases the permit of a guard. */
  giveBack(): void {
    try {
      this.#release(1);
    } finally {
      this.#state.done();
    }
    this.#state.offer();
  }

  #release(count: number): void {
    const { held } = this.#use;
    // Before the release: if it is interrupted in between, the handle can still be closed.
    this.#state.holders.count(this.#use, Math.max(held - count, 0));
    const refused = this.#state.release(count);
    if (refused === undefined) return;
    this.#state.holders.count(this.#use, held);
    throw this.#tooMany(count, refused);
  }

  #tooMany(count: number, { max, value }: { max: number; value: number }): Error {
    return this.attachment.error(
      'ERR_NOT_HELD',
      `has ${value} of its ${max} permits available, so ${count} more cannot be released`,
    );
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedSemaphoreHandle {
    return { shmkit: 'semaphore', name: this.name };
  }

  /** Waits for a permit. This is a separate method, so that the fast path of its caller creates no closures. */
  #acquireSlowly(timeout: number | undefined): SemaphoreGuard {
    const waiting = new Waiting();
    return this.#state.freed.waitSync<SemaphoreGuard>({
      handle: this,
      attempt: (look) => this.#take(look, waiting),
      timeout,
      expired: (limit) => this.#expire(limit, waiting),
    });
  }

  #expire(limit: number, waiting: Waiting): never {
    this.#state.withdraw(waiting);
    throw this.attachment.error('ERR_TIMEOUT', `had no permit within ${limit} ms`);
  }

  #take(look: boolean, waiting?: Waiting): SemaphoreGuard | undefined {
    const state = this.#state;
    const permit = state.take(look, this.#use, waiting);
    const guard = permit && this.#guard(permit);
    state.done();
    return guard;
  }

  #guard(permit: Permit): SemaphoreGuard {
    const guard = new SemaphoreGuard(this);
    if (permit === 'held') this.#state.holders.count(this.#use, this.#use.held + 1);
    return guard;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment } = this;
    const held = Math.min(this.#use.held, this.#state.held);
    if (held > 0 && !attachment.hasEnded) {
      throw attachment.error(
        'EBUSY',
        `has ${held} permits held through this handle; release them first`,
      );
    }
    this.#state.holders.delete(this);
    this.#state.freed.giveUp(this, attachment.closedMeanwhile());
    attachment.close();
  }
}

changedBy('semaphore', { value: 'acquire() and release()' });

function contentsOf(options: NamedSemaphoreOptions): Contents {
  const { value = 1, max, participants = defaultParticipants } = options;
  const robust = checkBoolean('robust', options.robust ?? true);
  checkInteger('value', value, 0, mostPermits);
  if (max !== undefined) {
    checkInteger('max', max, 1, mostPermits);
    if (value > max) throw outOfRange('value', `at most max (${max})`, value);
  }
  checkInteger('participants', participants, 1, mostParticipants);
  return {
    type: robust ? 1 : 0,
    length: max ?? 0,
    wordsBytes: rosterBytes(participants),
    dataBytes: 0,
    words: initialWords(value, robust),
  };
}

tellClass('semaphore', NamedSemaphore);
