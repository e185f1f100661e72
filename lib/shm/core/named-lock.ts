import type * as contract from '../../contract/index';
import { systemName } from './names';
import { checkOptions } from '../../common/options';
import { Attachment, Request, unlinkObject } from './attachment';
import { checkConstruction } from './construction';
import { showHandle } from './handle';
import { Lock } from './lock';
import { toAttach, toCreate, toOpen } from './named-object';
import { noContents } from './object-seat';

/** What {@link NamedLock.open} takes. */
export interface NamedLockOptions {
  /**
   * Permission bits, whatever the umask. To use a lock takes permission to read and to
   * write. Default `0o600`, its owner alone.
   */
  readonly mode?: number | undefined;
}

/** What {@link NamedLock.create} takes. */
export interface NamedLockCreateOptions extends NamedLockOptions {
  /** Without one, a name that nobody has is made up; see {@link Lock.name}. */
  readonly name?: string | undefined;
}

/** A lock as plain data, to be sent to another process; see {@link NamedLock.toJSON}. */
export interface NamedLockHandle {
  readonly shmkit: 'lock';
  readonly name: string;
}

/** A {@link Lock} with a name of its own. */
export class NamedLock extends Lock implements contract.Named {
  /** What kind of object it is, by the name that handles have for it. */
  declare readonly shmkit: 'lock';

  readonly #attachment: Attachment;

  private constructor(request: Request) {
    checkConstruction(request instanceof Request, new.target);
    systemName('lock', request.name);
    const attachment = new Attachment(request);
    super(attachment);
    showHandle(this, { shmkit: 'lock', name: request.name });
    this.#attachment = attachment;
    attachment.belongTo(this);
  }

  /**
   * Makes a new lock.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC`; `EINVAL`, `ENAMETOOLONG` it
   * cannot be a name.
   */
  static create(options: NamedLockCreateOptions = {}): NamedLock {
    checkOptions(options, ['name', 'mode']);
    return new NamedLock(toCreate('lock', options, noContents));
  }

  /**
   * Attaches to a lock that exists.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` what bears the name is not a lock that this process can use.
   */
  static attach(name: string): NamedLock {
    return new NamedLock(toAttach('lock', name));
  }

  /**
   * Attaches to a lock, or makes it when it is absent. Of any number of processes that open one
   * name at once, one makes it; its `mode` counts.
   *
   * @throws SharedMemoryError as {@link NamedLock.create} (but `EEXIST`) and {@link NamedLock.attach}.
   */
  static open(name: string, options: NamedLockOptions = {}): NamedLock {
    checkOptions(options, ['mode']);
    return new NamedLock(toOpen('lock', name, options, noContents));
  }

  /**
   * Removes a lock's name, at once when the lock is free, else at the moment its owner releases it
   * (or dies), so that two owners of one name never meet. Handles made by {@link NamedLock.open}
   * make the lock anew when they are next used; those made by `create` or `attach` throw `ENOENT`.
   *
   * Does not block, but for some milliseconds while an owner is about to release, and up to a second
   * should another process be stopped in the middle of unlinking it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('lock', name);
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#attachment.closed;
  }

  /**
   * Lets go of the lock. Idempotent. Those who wait through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` it is held through this handle: release it first.
   */
  close(): void {
    this.#attachment.close(this);
  }

  /**
   * Removes the name, as {@link NamedLock.unlink} does; also after {@link close}.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or another lock's by now.
   */
  unlink(): void {
    this.#attachment.unlink();
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** A handle to send to another process, which gives it to {@link attach}. */
  toJSON(): NamedLockHandle {
    return { shmkit: 'lock', name: this.name };
  }
}
