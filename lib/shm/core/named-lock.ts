import { tellClass } from './classes';
import type * as contract from '../../contract/index';
import { systemName } from './names';
import { checkOptions } from '../../common/options';
import { Attachment, Request, unlinkObject } from './attachment';
import { checkConstruction } from './construction';
import { showHandle } from './handle';
import { Lock } from './lock';
import { toAttach, toCreate, toOpen } from './named-object';
import { noContents } from './object-seat';

/** Options of {@link NamedLock.open}. */
export interface NamedLockOptions {
  /**
   * Permission bits. They are exact, whatever the umask. Using a lock requires permission to read and to
   * write. Default `0o600`, access for the owner only.
   */
  readonly mode?: number | undefined;
}

/** Options of {@link NamedLock.create}. */
export interface NamedLockCreateOptions extends NamedLockOptions {
  /** By default, a new unique name is made up; see {@link Lock.name}. */
  readonly name?: string | undefined;
}

/** The plain-data form of a lock, to be sent to another process; see {@link NamedLock.toJSON}. */
export interface NamedLockHandle {
  readonly shmkit: 'lock';
  readonly name: string;
}

/** A {@link Lock} that has a name of its own. */
export class NamedLock extends Lock implements contract.Named {
  /** The kind of the object, as in its plain-data form. */
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
   * Attaches to an existing lock.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_CORRUPT`, `ERR_WRONG_KIND`,
   * `ERR_ABI_MISMATCH` the object with this name is not a lock that this process can use.
   */
  static attach(name: string): NamedLock {
    return new NamedLock(toAttach('lock', name));
  }

  /**
   * Attaches to a lock, or makes it if it does not exist. If several processes open one name at the same
   * time, one of them makes the lock, with its own `mode`.
   *
   * @throws SharedMemoryError as {@link NamedLock.create} (except `EEXIST`) and {@link NamedLock.attach}.
   */
  static open(name: string, options: NamedLockOptions = {}): NamedLock {
    checkOptions(options, ['mode']);
    return new NamedLock(toOpen('lock', name, options, noContents));
  }

  /**
   * Removes a lock's name. If the lock is free, this happens at once. Otherwise it happens at the moment when
   * the owner releases the lock or dies. So there are never two owners of one name at the same time. Handles
   * made by {@link NamedLock.open} create a new lock when they are next used. Handles made by `create` or
   * `attach` throw `ENOENT`.
   *
   * Does not block, with two exceptions: it takes some milliseconds while an owner is about to release, and
   * up to a second if another process was stopped in the middle of unlinking the lock.
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
   * Ends this handle's use of the lock. Idempotent. Tasks that wait through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` the lock is held through this handle: release it first.
   */
  close(): void {
    this.#attachment.close(this);
  }

  /**
   * Removes the name, as {@link NamedLock.unlink} does. This also works after {@link close}.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or leads to another lock now.
   */
  unlink(): void {
    this.#attachment.unlink();
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): NamedLockHandle {
    return { shmkit: 'lock', name: this.name };
  }
}

tellClass('lock', NamedLock);
