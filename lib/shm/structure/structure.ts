import { unlinkObject, type Request } from '../core/attachment';
import type { ObjectKind } from '../core/layout';
import { systemName } from '../core/names';
import { NamedObject, type CreateOptions, type OpenOptions } from '../core/named-object';
import { letGo } from './out-of-band';
import { withState } from './states';
import type { StructureState } from './structure-state';

/** The options of the `open` methods of structures. */
export interface StructureOptions extends OpenOptions {
  /**
   * The maximum size of a new structure, in bytes. This is address space. Memory is only taken as the structure
   * grows. Default 256 MiB.
   */
  readonly capacity?: number | undefined;
  /**
   * From how many bytes in its typed arrays, ArrayBuffers and Buffers on a value is stored apart, at least 4096: it
   * then gets a {@link SharedObject} of its own, which lives as long as the entry. Readers map it in a time that does
   * not depend on its size, and what they do not read of it costs them nothing. Its bytes count in
   * {@link Structure.bytesUsed}, and for the capacity. A value that waits for room in a queue is in memory already.
   *
   * By default, all values are in the structure itself. That is better for small ones: an object takes some 100
   * microseconds and at least two pages. It is also better for values that are written more often than they are read:
   * an object gets new memory each time, which takes longer than a copy to memory that exists.
   *
   * This has an effect on Linux only, and only for the user who owns the structure. The values of other users are in the
   * structure itself.
   */
  readonly outOfBand?: number | undefined;
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

  /**
   * From how many bytes in its typed arrays, ArrayBuffers and Buffers on a value is stored apart. Undefined if no value
   * is.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get outOfBand(): number | undefined {
    return this.open().outOfBand.limit;
  }

  /**
   * Removes the name if it still leads to this very object. This also works after {@link close}. Processes
   * that are attached keep the object until they close it, but not the values that were stored apart
   * ({@link StructureOptions.outOfBand}); what they store from now on is in the structure itself. If the option was
   * used, the call waits up to a second for the changes of others.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or leads to another object now.
   */
  override unlink(): void {
    const { kind, name } = this.attachment;
    unlinkWith(kind, name, this.attachment.id, () => super.unlink());
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

/** Removes the name of a structure, and the values that it has stored apart. */
export function unlinkStructure(kind: ObjectKind, name: string): void {
  systemName(kind, name);
  unlinkWith(kind, name, undefined, () => unlinkObject(kind, name));
}

/** How long to wait for the changes of others before the name is removed anyway, in milliseconds. */
const patience = 1000;

/**
 * Removes the name of a structure, and the values that it has stored apart. What is stored later is in the structure
 * itself.
 *
 * @param id - the id of the structure, if the name must lead to a certain one.
 */
function unlinkWith(kind: ObjectKind, name: string, id: string | undefined, unlink: () => void) {
  const failures: unknown[] = [];
  const removal = { isTried: false };
  const remove = () => {
    removal.isTried = true;
    try {
      unlink();
      return true;
    } catch (error) {
      failures.push(error);
      return false;
    }
  };
  withState({ kind, name, ...(id !== undefined && { id }) }, undefined, (state, found) => {
    if (!state.outOfBand.mayHave) return;
    const texts = state.apart(patience);
    if (!remove()) return;
    state.outOfBand.end();
    letGo(texts, found);
  });
  // It stores nothing apart, or cannot be read: what it has stored is removed by the next sweep.
  if (!removal.isTried) remove();
  if (failures.length > 0) throw failures[0];
}
