import { Disposition } from './binding';
import { freshName, systemName, type Kind } from './names';
import { checkMode } from '../../common/options';
import { Unassignable } from './assignments';
import { Attachment, Request } from './attachment';
import { checkConstruction } from './construction';
import { showHandle } from './handle';
import type { ObjectKind } from './layout';
import type { LockSeat } from './lock-seat';
import type { Contents, SeatState } from './object-seat';

/** Options of the `open` methods of all kinds. */
export interface OpenOptions {
  /**
   * Permission bits of a new object. They are exact, whatever the umask. Using the object requires permission
   * to read and to write. Default `0o600`, access for the owner only.
   */
  readonly mode?: number | undefined;
}

/** Options of the `create` methods of all kinds. */
export interface CreateOptions extends OpenOptions {
  /** By default, a new unique name is made up; see {@link NamedObject.name}. */
  readonly name?: string | undefined;
}

/** What all named objects have in common, except for segments and plain locks. */
export abstract class NamedObject extends Unassignable {
  /** The kind of the object, as in its plain-data form. */
  declare readonly shmkit: Kind;
  /** The name by which others attach to the object. */
  declare readonly name: string;

  readonly #attachment: Attachment;

  /**
   * @internal
   * @param more - further properties of the plain-data form.
   */
  protected constructor(request: Request, more?: object) {
    checkConstruction(request instanceof Request, new.target);
    super();
    const { kind, name } = request;
    systemName(kind, name);
    showHandle(this, { shmkit: kind, name, ...more });
    this.#attachment = new Attachment(request);
    this.#attachment.belongTo(this);
  }

  /** @internal */
  protected get attachment(): Attachment {
    return this.#attachment;
  }

  /** @internal Makes the state, unless another handle has made it. If that fails, closes this handle. */
  protected stateBy<S extends SeatState>(make: (seat: LockSeat) => S): S {
    const { attachment } = this;
    const { seat } = attachment;
    try {
      return seat.state(() => make(seat));
    } catch (error) {
      attachment.close();
      throw error;
    }
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#attachment.closed;
  }

  /**
   * Ends this handle's use of the object. Idempotent. Tasks that wait through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` something of the object is held through this handle: release it first.
   * An object that has ended with its manager can always be closed.
   */
  close(): void {
    if (this.#attachment.closed) return;
    this.letGo();
  }

  /**
   * Removes the name if it still leads to this very object. This also works after {@link close}. Processes
   * that are attached keep the object until they close it.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or leads to another object now.
   */
  unlink(): void {
    this.#attachment.unlink();
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal Throws EBUSY, or ends all waits and closes the attachment. */
  protected abstract letGo(): void;
}

/** A request to make a new object. */
export function toCreate(
  kind: ObjectKind,
  { name = freshName(), mode }: CreateOptions,
  contents: Contents,
): Request {
  return new Request(kind, name, Disposition.Create, checkMode(mode), contents);
}

/** A request to attach to an object that exists. */
export function toAttach(kind: ObjectKind, name: string): Request {
  return new Request(kind, name, Disposition.Attach);
}

/** A request to attach to an object, or to make it. */
export function toOpen(
  kind: ObjectKind,
  name: string,
  { mode }: OpenOptions,
  contents: Contents,
): Request {
  return new Request(kind, name, Disposition.Open, checkMode(mode), contents);
}
