import { Disposition } from './binding';
import { freshName, systemName, type Kind } from './names';
import { checkMode } from '../../common/options';
import { Unassignable } from './assignments';
import { Attachment, Request } from './attachment';
import { checkConstruction } from './construction';
import { showHandle } from './handle';
import type { ObjectKind } from './layout';
import type { Contents } from './object-seat';

/** What the `open` methods of all kinds take. */
export interface OpenOptions {
  /**
   * Permission bits of a new object, whatever the umask. To use it takes permission to read and to
   * write. Default `0o600`, its owner alone.
   */
  readonly mode?: number | undefined;
}

/** What the `create` methods of all kinds take. */
export interface CreateOptions extends OpenOptions {
  /** Without one, a name that nobody has is made up; see {@link NamedObject.name}. */
  readonly name?: string | undefined;
}

/** What all named objects have in common, but for segments and plain locks. */
export abstract class NamedObject extends Unassignable {
  /** What kind of object it is, by the name that handles have for it. */
  declare readonly shmkit: Kind;
  /** The name that others attach by. */
  declare readonly name: string;

  readonly #attachment: Attachment;

  /** @internal */
  protected constructor(request: Request) {
    checkConstruction(request instanceof Request, new.target);
    super();
    const { kind, name } = request;
    systemName(kind, name);
    showHandle(this, { shmkit: kind, name });
    this.#attachment = new Attachment(request);
    this.#attachment.belongTo(this);
  }

  /** @internal */
  protected get attachment(): Attachment {
    return this.#attachment;
  }

  /** Whether this handle was closed. */
  get closed(): boolean {
    return this.#attachment.closed;
  }

  /**
   * Lets go of the object. Idempotent. Those who wait through this handle get `ERR_CLOSED`.
   *
   * @throws SharedMemoryError `EBUSY` something of it is held through this handle: release it first. What
   * has ended with its manager is let go all the same.
   */
  close(): void {
    if (this.#attachment.closed) return;
    this.letGo();
  }

  /**
   * Removes the name, while it still leads to this very object; also after {@link close}. Whoever is
   * attached keeps the object until they close.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or another object's by now.
   */
  unlink(): void {
    this.#attachment.unlink();
  }

  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal Throws EBUSY, or ends what waits and closes the attachment. */
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

/** A request to attach to an object or make it. */
export function toOpen(
  kind: ObjectKind,
  name: string,
  { mode }: OpenOptions,
  contents: Contents,
): Request {
  return new Request(kind, name, Disposition.Open, checkMode(mode), contents);
}
