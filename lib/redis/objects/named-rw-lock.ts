import type * as contract from '../../contract/index';
import { checkOptions, throwIfAborted, waitOf, type WaitOptions } from '../../common/options';
import type { Said, Session } from '../lease/session';
import { acquireRW, readRW, releaseRW } from '../scripts/rw-lock';
import { mostComeMs } from './lock-core';
import { called } from './names';
import { RWLockGuard, type SharedHolding } from './rw-lock-guard';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  unlinkName,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = { kind: 'rwlock', isOfName: false, ends: ['m', 'q', 'w', 'h', 'v'] };
const contents = { options: {}, fields: [] };

type Mode = 'read' | 'write';

/**
 * A lock that is held by many readers, or by one writer, of any machine. Each holds it by a lease. They get it in the
 * order in which they asked, readers that follow each other together, so neither readers nor writers starve. A holder
 * that asks again waits for itself.
 */
export class NamedRWLock extends ServedObject<'rwlock'> implements contract.RWLock, SharedHolding {
  readonly #guards = new Set<RWLockGuard>();

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found) {
    super(keys, found);
  }

  /** @internal Opens an object of a manager. */
  static async openManaged(session: Session, name: string, id: string, options: object = {}) {
    checkOptions(options, []);
    return new NamedRWLock(await open(session, keys, name, managedBy(id, contents)));
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create(session: Session, options: { readonly name?: string } = {}) {
    checkOptions(options, ['name']);
    return new NamedRWLock(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach(session: Session, name: string): Promise<NamedRWLock> {
    return new NamedRWLock(await attachTo(session, keys, name));
  }

  static async open(session: Session, name: string, options: object = {}): Promise<NamedRWLock> {
    checkOptions(options, []);
    return new NamedRWLock(await open(session, keys, name, contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** @internal */
  get handle(): this {
    return this;
  }

  /** The number of readers that hold the lock. */
  async readers(): Promise<number> {
    const { rest } = await this.ask({ script: readRW, args: [], repeats: true });
    return Number(rest[0]);
  }

  /** Whether a writer holds the lock. */
  async writing(): Promise<boolean> {
    const { rest } = await this.ask({ script: readRW, args: [], repeats: true });
    return rest[1] === 1;
  }

  /**
   * Acquires the lock for reading, as soon as no writer holds it or has been waiting for it.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`, `ERR_UNAVAILABLE`. The signal's reason.
   */
  acquireRead(options?: WaitOptions): Promise<RWLockGuard> {
    return this.#acquire('read', options);
  }

  /** Acquires the lock for reading if that is possible at once. */
  tryAcquireRead(): Promise<RWLockGuard | null> {
    return this.#tryAcquire('read');
  }

  /** Acquires the lock for writing, as soon as nobody else holds it. @throws as {@link acquireRead} */
  acquireWrite(options?: WaitOptions): Promise<RWLockGuard> {
    return this.#acquire('write', options);
  }

  /** Acquires the lock for writing if that is possible at once. */
  tryAcquireWrite(): Promise<RWLockGuard | null> {
    return this.#tryAcquire('write');
  }

  /** @internal */
  async giveBack(guard: RWLockGuard): Promise<void> {
    if (guard.isReleased) throw this.error('ERR_NOT_HELD', 'is not held by this guard');
    const wasHeld = guard.markReleased();
    this.#guards.delete(guard);
    const { word, isRepeated } = await this.session.ask({
      script: releaseRW,
      keys: this.allKeys,
      args: [guard.token, this.#comeMs, 'release'],
      repeats: true,
    });
    if (wasHeld && (word === 'released' || (word === 'none' && isRepeated))) return;
    throw this.error('ERR_NOT_HELD', 'was not held any more: the lease had ended');
  }

  /** @internal */
  protected override letGo(): void {
    if ([...this.#guards].some((guard) => guard.isHeld)) {
      throw this.error('EBUSY', 'is held through this handle; release it first');
    }
  }

  get #comeMs(): string {
    return String(Math.min(mostComeMs, this.session.options.leaseMs));
  }

  async #acquire(mode: Mode, options: WaitOptions | undefined): Promise<RWLockGuard> {
    this.checkOpen();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const { session } = this;
    const { token, number } = session.token();
    const said = await this.pending.wait<Said>({
      session,
      number,
      attempt: async (isOver) => {
        const answer = await this.#request(mode, token, 'wait', isOver);
        return answer.word === 'held' ? { got: answer } : { lookInMs: Number(answer.rest[0]) };
      },
      timeout,
      signal,
      expired: (limit) => {
        const what = mode === 'read' ? 'reading' : 'writing';
        return this.error('ERR_TIMEOUT', `was not free for ${what} within ${limit} ms`);
      },
      calledOff: () => this.#withdraw(token),
    });
    return this.#guard(mode, token, said);
  }

  async #tryAcquire(mode: Mode): Promise<RWLockGuard | null> {
    this.checkOpen();
    const { token } = this.session.token();
    let said: Said;
    try {
      said = await this.#request(mode, token, 'try');
    } catch (error) {
      this.#withdraw(token);
      throw error;
    }
    return said.word === 'held' ? this.#guard(mode, token, said) : null;
  }

  #request(mode: Mode, token: string, how: 'wait' | 'try', isOver?: () => boolean): Promise<Said> {
    const leaseMs = String(this.session.options.leaseMs);
    return this.ask({
      script: acquireRW,
      args: [token, leaseMs, leaseMs, how, this.#comeMs, mode],
      repeats: true,
      ...(isOver !== undefined && { isOver }),
    });
  }

  #withdraw(token: string): void {
    this.session.tell({
      script: releaseRW,
      keys: this.allKeys,
      args: [token, this.#comeMs, 'withdraw'],
    });
  }

  #guard(mode: Mode, token: string, said: Said): RWLockGuard {
    const { session } = this;
    if (this.closed) {
      this.#withdraw(token);
      throw this.closedError();
    }
    const subject = {
      renewal: 'rwlock',
      keys: this.allKeys,
      token,
      leaseMs: session.options.leaseMs,
      called: called('rwlock', this.name),
    } as const;
    const hold = session.leases.begin(subject, said);
    const [fence, news] = said.rest.map(String);
    const guard = new RWLockGuard(this, hold, token, mode, Number(fence), news === '1');
    this.#guards.add(guard);
    return guard;
  }
}
