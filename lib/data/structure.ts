import type { Request } from '../core/attachment';
import type { LockSeat } from '../core/lock-seat';
import { NamedObject, type CreateOptions, type OpenOptions } from '../core/named-object';
import type { StructureState } from './structure-state';

/** What the `open` methods of structures take. */
export interface StructureOptions extends OpenOptions {
  /**
   * How many bytes a new one may grow to; this is address space, and memory is taken as it grows.
   * Default 256 MiB.
   */
  readonly capacity?: number;
}

/** What the `create` methods of structures take. */
export interface StructureCreateOptions extends StructureOptions, CreateOptions {}

/** What dicts, lists, queues and namespaces have in common: named objects that grow. */
export abstract class Structure<S extends StructureState> extends NamedObject {
  /** @internal */
  protected readonly state: S;

  /** @internal @param make - what all handles of one thread share. */
  protected constructor(request: Request, make: (seat: LockSeat) => S) {
    super(request);
    const { attachment } = this;
    const { seat } = attachment;
    try {
      this.state = seat.state(() => make(seat));
    } catch (error) {
      attachment.close();
      throw error;
    }
  }

  /**
   * Bytes that its contents take, with what is kept of each. Blocks this thread for the moment that
   * somebody else's change takes.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  get bytesUsed(): number {
    return this.open().bytesUsed;
  }

  /**
   * Bytes that its contents may take.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get capacity(): number {
    return this.open().capacity;
  }

  /** @internal The state, of a handle that must not be closed. */
  protected open(): S {
    if (this.attachment.closed) this.attachment.open();
    return this.state;
  }

  /** @internal */
  protected override letGo(): void {
    const { attachment } = this;
    if (this.state.inside) throw attachment.error('EBUSY', 'is being changed by this thread');
    attachment.close();
  }
}
