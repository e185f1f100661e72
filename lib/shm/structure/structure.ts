import type { Request } from '../core/attachment';
import { NamedObject, type CreateOptions, type OpenOptions } from '../core/named-object';
import type { StructureState } from './structure-state';

/** The options of the `open` methods of structures. */
export interface StructureOptions extends OpenOptions {
  /**
   * The maximum size of a new structure, in bytes. This is address space. Memory is only taken as the structure
   * grows. Default 256 MiB.
   */
  readonly capacity?: number | undefined;
}

/** The options of the `create` methods of structures. */
export interface StructureCreateOptions extends StructureOptions, CreateOptions {}

/** The base class of dicts, lists, queues and namespaces: named objects that grow. */
export abstract class Structure extends NamedObject {
  /** @internal */
  protected constructor(request: Request) {
    super(request);
  }

  /** @internal The state that all handles of one thread share. */
  protected abstract get state(): StructureState;

  /** @internal Returns the state. Throws if the handle is closed. */
  protected abstract open(): StructureState;

  /**
   * The bytes that the contents take, including the overhead of each part. If another process or thread is
   * making a change, this call briefly blocks this thread.
   *
   * @throws SharedMemoryError `ERR_CLOSED`, `ERR_CORRUPT`.
   */
  get bytesUsed(): number {
    return this.open().bytesUsed;
  }

  /**
   * The maximum number of bytes that the contents can take.
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
      throw attachment.error('EBUSY', 'cannot be closed: this thread is changing it');
    }
    attachment.close();
  }
}
