import type * as contract from '../../contract/index';
import { checkOptions, type WaitOptions } from '../../common/options';
import type { Session } from '../lease/session';
import { LockCore } from './lock-core';
import type { LockGuard } from './lock-guard';
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

const keys: KindKeys = { kind: 'lock', isOfName: true, ends: ['l', 'q', 'w'] };
const contents = { options: {}, fields: [] };

/**
 * A lock that processes of any machine share by its name. Its owner holds it by a lease, which is renewed until the
 * owner releases the lock, dies, or is cut off from the server for longer than the lease.
 *
 * No lease excludes all effects of an owner that was stopped for longer than its lease. Its guard says so when it runs
 * again ({@link LockGuard.check}, {@link LockGuard.signal}), and storage can refuse it by {@link LockGuard.fence}.
 *
 * Waiters get the lock in the order in which they asked. It may be released through another handle only after its lease
 * has ended.
 */
export class NamedLock extends ServedObject<'lock'> implements contract.NamedLock {
  readonly #core: LockCore;

  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found) {
    super(keys, found);
    this.#core = new LockCore(this, this, this.allKeys);
  }

  /** @internal Opens an object of a manager. */
  static async openManaged(session: Session, name: string, id: string, options: object = {}) {
    checkOptions(options, []);
    return new NamedLock(await open(session, keys, name, managedBy(id, contents)));
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create(session: Session, options: { readonly name?: string } = {}) {
    checkOptions(options, ['name']);
    return new NamedLock(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach(session: Session, name: string): Promise<NamedLock> {
    return new NamedLock(await attachTo(session, keys, name));
  }

  static async open(session: Session, name: string, options: object = {}): Promise<NamedLock> {
    checkOptions(options, []);
    return new NamedLock(await open(session, keys, name, contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** Whether the lock is held through this handle. Asks the clocks, and not the server. */
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async held(): Promise<boolean> {
    this.checkOpen();
    return this.#core.isHeld;
  }

  /** Whether anybody holds the lock. */
  locked(): Promise<boolean> {
    return this.#core.isLocked();
  }

  /**
   * Acquires the lock as soon as it is free.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`; `ENOENT` the lock was unlinked and there is
   * no other of its name; `ERR_UNAVAILABLE` the server could not be asked within the timeout. The signal's reason.
   */
  acquire(options?: WaitOptions): Promise<LockGuard> {
    return this.#core.acquire(options);
  }

  /** Acquires the lock if it is free and nobody waits for it. */
  tryAcquire(): Promise<LockGuard | null> {
    return this.#core.tryAcquire();
  }

  /** @throws SharedMemoryError `ERR_NOT_HELD` */
  release(): Promise<void> {
    return this.#core.release();
  }

  /**
   * Runs a function while holding the lock.
   *
   * @throws what the function throws; SharedMemoryError `ERR_LEASE_LOST` the lease ended before the function did; as
   * {@link acquire}.
   */
  runExclusive<T>(fn: (guard: LockGuard) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    return this.#core.runExclusive(fn, options);
  }

  /** @internal */
  protected override letGo(): void {
    this.#core.letGo();
  }
}
