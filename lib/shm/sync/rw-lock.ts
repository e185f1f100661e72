import { tellClass } from '../core/classes';
import type * as contract from '../../contract/index';
import { unlinkObject, type Request } from '../core/attachment';
import {
  NamedObject,
  toAttach,
  toCreate,
  toOpen,
  type CreateOptions,
  type OpenOptions,
} from '../core/named-object';
import { Use } from '../core/holders';
import type { Contents } from '../core/object-seat';
import { settleOperations } from '../core/operations';
import { defaultParticipants, mostParticipants, rosterBytes } from '../core/roster';
import {
  checkInteger,
  checkOptions,
  timeoutOf,
  waitOf,
  type TimeoutOptions,
  type WaitOptions,
} from '../../common/options';
import { RWLockGuard } from './rw-lock-guard';
import { Mode, RWLockState, type Claim, type Granted } from './rw-lock-state';

/** Options of {@link NamedRWLock.open}. */
export interface NamedRWLockOptions extends OpenOptions {
  /**
   * The maximum number of threads, up to 65,536. A thread counts from its first acquisition until it closes
   * its last handle or ends. Each takes 40 bytes. Default 192.
   */
  readonly participants?: number | undefined;
}

/** Options of {@link NamedRWLock.create}. */
export interface NamedRWLockCreateOptions extends NamedRWLockOptions, CreateOptions {}

/**
 * The plain-data form of a read-write lock, to be sent to another process; see {@link NamedRWLock.toJSON}.
 */
export interface NamedRWLockHandle {
  readonly shmkit: 'rwlock';
  readonly name: string;
}

/**
 * A lock that is held by many readers, or by one writer.
 *
 * Threads get it in the order in which they ask, so neither readers nor writers starve. Tasks of one thread
 * are served in the order in which they asked. If a thread dies, what it held comes back within some tens of
 * milliseconds. If it was writing, the next owners are told ({@link RWLockGuard.abandoned}).
 *
 * A read cannot be turned into a write, because two threads that tried would wait for each other. Release the
 * read, acquire the write, and check again what you read. A task should also not acquire a lock that it holds
 * already: a writer may begin to wait between the task's two reads. The writer then waits for the first read
 * to end, and the second read waits for the writer.
 */
export class NamedRWLock extends NamedObject implements contract.RWLock {
  declare readonly shmkit: 'rwlock';
  readonly #state: RWLockState;
  readonly #use = new Use(this);

  private constructor(request: Request) {
    super(request);
    this.#state = this.stateBy((seat) => new RWLockState(seat));
  }

  /**
   * Makes a new lock.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static create(options: NamedRWLockCreateOptions = {}): NamedRWLock {
    checkOptions(options, ['name', 'mode', 'participants']);
    return new NamedRWLock(toCreate('rwlock', options, contentsOf(options)));
  }

  /**
   * Attaches to an existing lock.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a lock that this process can use.
   */
  static attach(name: string): NamedRWLock {
    return new NamedRWLock(toAttach('rwlock', name));
  }

  /**
   * Attaches to a lock, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the lock, with its own options.
   *
   * @throws SharedMemoryError as {@link NamedRWLock.create} (except `EEXIST`) and {@link NamedRWLock.attach}.
   */
  static open(name: string, options: NamedRWLockOptions = {}): NamedRWLock {
    checkOptions(options, ['mode', 'participants']);
    return new NamedRWLock(toOpen('rwlock', name, options, contentsOf(options)));
  }

  /** Removes a name. Processes that are attached keep the lock until they close it. */
  static unlink(name: string): void {
    unlinkObject('rwlock', name);
  }

  /** The maximum number of threads. */
  get participants(): number {
    return this.#state.participants;
  }

  /** How many readers hold the lock at this instant. */
  get readers(): number {
    this.attachment.open();
    settleOperations();
    return this.#state.survey().readers;
  }

  /** Whether a writer holds the lock at this instant. */
  get writing(): boolean {
    this.attachment.open();
    settleOperations();
    return this.#state.survey().isWriting;
  }

  /**
   * Acquires the lock for reading without blocking anything.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`; `ERR_CAPACITY` more threads use it than
   * there is room for; the signal's reason when it aborts.
   */
  async acquireRead(options?: WaitOptions): Promise<RWLockGuard> {
    return this.#acquire(Mode.Read, options);
  }

  /**
   * Acquires the lock for reading, blocking this thread. A thread that holds it for reading already gets it
   * at once.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_CAPACITY`; `ERR_DEADLOCK` this very thread
   * holds it for writing, so the wait could not end.
   */
  acquireReadSync(options?: TimeoutOptions): RWLockGuard {
    return this.#acquireSync(Mode.Read, options);
  }

  /**
   * Acquires the lock for reading if that is possible at once. Does not block.
   *
   * @returns null when a writer holds the lock or waits for it.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  tryAcquireRead(): RWLockGuard | null {
    return this.#tryAcquire(Mode.Read);
  }

  /** Acquires the lock for writing without blocking anything; as {@link acquireRead}. */
  async acquireWrite(options?: WaitOptions): Promise<RWLockGuard> {
    return this.#acquire(Mode.Write, options);
  }

  /**
   * Acquires the lock for writing, blocking this thread.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_CAPACITY`; `ERR_DEADLOCK` this very thread
   * holds it for reading or writing, so the wait could not end.
   */
  acquireWriteSync(options?: TimeoutOptions): RWLockGuard {
    return this.#acquireSync(Mode.Write, options);
  }

  /**
   * Acquires the lock for writing if that is possible at once. Does not block.
   *
   * @returns null when another reader or writer holds the lock or waits for it.
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CAPACITY`.
   */
  tryAcquireWrite(): RWLockGuard | null {
    return this.#tryAcquire(Mode.Write);
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedRWLockHandle {
    return { shmkit: 'rwlock', name: this.name };
  }

  async #acquire(mode: Mode, options: WaitOptions | undefined): Promise<RWLockGuard> {
    this.attachment.open();
    const { timeout, signal } = waitOf(options);
    const claim: Claim = { mode, nested: false };
    return this.#state.freed.wait<RWLockGuard>({
      handle: this,
      attempt: (look) => {
        this.#state.begin(claim, this.#use);
        const granted = this.#state.take(claim, look, true);
        const guard = granted && this.#guard(mode, granted);
        // Without a guard, the step stays recorded. The attempt may have taken a ticket, which must end if the
        // beginning of the wait is interrupted.
        if (guard !== undefined) this.#state.done();
        return guard;
      },
      noted: this.#state,
      timeout,
      signal,
      expired: (limit) => this.#expire(claim, limit),
      calledOff: () => this.#state.withdraw(claim),
    });
  }

  #acquireSync(mode: Mode, options: TimeoutOptions | undefined): RWLockGuard {
    this.attachment.open();
    const timeout = timeoutOf(options);
    settleOperations();
    const { held } = this.#state;
    if (held !== 0 && (held < 0 || mode === Mode.Write)) {
      const how =
        held < 0 ? 'writing' : 'reading; release it first: a read lock cannot become a write lock';
      throw this.attachment.error('ERR_DEADLOCK', `is held by this thread for ${how}`);
    }
    const claim: Claim = { mode, nested: true };
    this.#state.begin(claim, this.#use);
    const granted =
      this.#state.take(claim, false, false) ??
      this.#state.freed.waitSync<Granted>({
        handle: this,
        attempt: (look) => this.#state.take(claim, look, true),
        timeout,
        expired: (limit) => this.#expire(claim, limit),
      });
    const guard = this.#guard(mode, granted);
    this.#state.done();
    return guard;
  }

  #tryAcquire(mode: Mode): RWLockGuard | null {
    this.attachment.open();
    if (this.#state.freed.awaited) return null;
    const claim: Claim = { mode, nested: false };
    this.#state.begin(claim, this.#use);
    const granted = this.#state.take(claim, true, false);
    const guard = granted === undefined ? null : this.#guard(mode, granted);
    this.#state.done();
    return guard;
  }

  #expire(claim: Claim, limit: number): never {
    this.#state.withdraw(claim);
    const purpose = claim.mode === Mode.Write ? 'writing' : 'reading';
    throw this.attachment.error('ERR_TIMEOUT', `was not free for ${purpose} within ${limit} ms`);
  }

  #guard(mode: Mode, { abandoned }: Granted): RWLockGuard {
    const guard = new RWLockGuard(this, mode === Mode.Write ? 'write' : 'read', abandoned);
    this.#state.holders.count(this.#use, this.#use.held + 1);
    return guard;
  }

  /** @internal A guard is about to release what it holds. */
  beginRelease(mode: 'read' | 'write'): void {
    this.attachment.open();
    this.#state.beginRelease(mode === 'write' ? Mode.Write : Mode.Read, this.#use);
  }

  /** @internal Releases what a guard holds. */
  giveBack(): void {
    this.#state.release(this.#use);
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment } = this;
    if (this.#use.held > 0 && !attachment.hasEnded) {
      throw attachment.error('EBUSY', 'is held through this handle; release it first');
    }
    this.#state.holders.delete(this);
    this.#state.freed.giveUp(this, attachment.closedMeanwhile());
    attachment.close();
  }
}

function contentsOf({ participants = defaultParticipants }: NamedRWLockOptions): Contents {
  checkInteger('participants', participants, 1, mostParticipants);
  return { type: 0, length: 0, wordsBytes: rosterBytes(participants), dataBytes: 0 };
}

tellClass('rwlock', NamedRWLock);
