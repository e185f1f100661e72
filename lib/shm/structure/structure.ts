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
  readonly capacity?: number | undefined;
}

/** What the `create` methods of structures take. */
export interface StructureCreateOptions extends StructureOptions, CreateOptions {}

/** What dicts, lists, queues and namespaces have in common: named objects that grow. */
export abstract class Structure extends NamedObject {
  /** @internal */
  protected constructor(request: Request) {
    super(request);
  }

  /** @internal What all handles of one thread share. */
  protected abstract get state(): StructureState;

  /** @internal The state, of a handle that must not be closed. */
  protected abstract open(): StructureState;

  /** @internal Makes the state, unless another handle has; without one there is no handle. */
  protected stateBy<S extends StructureState>(make: (seat: LockSeat) => S): S {
    const { attachment } = this;
    const { seat } = attachment;
    try {
      return seat.state(() => make(seat));
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

  /** @internal */
  protected override letGo(): void {
    const { attachment } = this;
    const { state } = this;
    if (state.inside && !state.isInterrupted) {
      throw attachment.error('EBUSY', 'is being changed by this thread');
    }
    attachment.close();
  }
}
