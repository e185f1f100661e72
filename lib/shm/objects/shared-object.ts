import { keepValues } from './kept';
import { tellClass } from '../core/classes';
import { unlinkObject, type Request } from '../core/attachment';
import type { DraftHandle } from '../core/binding';
import type { Typed } from '../core/handle';
import { NamedObject, toAttach, toCreate, type CreateOptions } from '../core/named-object';
import { layout } from '../core/layout';
import { called, freshName, systemName } from '../core/names';
import { defaultParticipants, mostParticipants } from '../core/roster';
import { SharedMemoryError, hasCode, invalidType } from '../../common/errors';
import { checkBoolean, checkInteger, checkMode, checkOptions } from '../../common/options';
import { Draft } from './draft';
import { Holds, firstWords, holdAll, releaseReferences, type Reference } from './holds';
import { wordsBytesFor } from './layout';
import { sweepOnce, withSweep } from './orphans';
import { readSealed, type ReadValue } from './sealed-front';
import { seal, sealedContents, type SealedValue } from './sealed-value';
import { checkSpill, nameIn, withSpill } from './spilling';

/** Options of {@link SharedObject.create}. */
export interface SharedObjectCreateOptions<T> extends CreateOptions {
  /**
   * The value: anything that the structured clone algorithm accepts, and shared objects of all kinds. The object
   * gets a copy of it, except of what is shared memory already: see {@link SharedObject.create}.
   */
  readonly from: T;
  /**
   * Whether the object also exists until another thread or process takes it over. Use it for a result that you
   * send to somebody: you can close the object at once. It belongs to the first that attaches by the handle which
   * this object gives (`toJSON()`, or any message that contains it). If nobody does, the object exists as long as
   * this thread, and then for another minute. (On Windows it ends with this thread.) Default false.
   */
  readonly handOver?: boolean | undefined;
  /**
   * The maximum number of threads that hold the object at one time, up to 65,536. Each takes 40 bytes. Default
   * 192.
   */
  readonly participants?: number | undefined;
  /**
   * A directory for an object for which there is no room in memory, on a disk for example: the object is then a file
   * there, and everything else is as usual. The system keeps in memory what is used of it. The name of such an object is
   * not the one that you have asked for, but says where it is: send the handle. The directory must be on a file system of
   * this machine that has unnamed files (ext4, xfs, btrfs, tmpfs; overlayfs since Linux 6.1). Only processes that have the
   * same `/dev/shm` can attach to the object, so not those of other containers. This has an effect on Linux only.
   */
  readonly spill?: string | undefined;
}

/** Options of {@link SharedObject.allocate}. */
export interface SharedObjectAllocateOptions extends Omit<
  SharedObjectCreateOptions<unknown>,
  'from'
> {
  /** How many bytes of memory to allocate. */
  readonly size: number;
}

/**
 * Memory for an object whose value is not known yet: see {@link SharedObject.allocate}. No other process sees it. It
 * is freed when it is closed, when it is garbage collected, and when the process ends in any way.
 */
export interface SharedObjectDraft {
  /** The memory, of zero bytes at first. It becomes empty when the draft is sealed or closed. */
  readonly buffer: ArrayBuffer;
  /** The number of bytes of the memory. */
  readonly size: number;
  /** Whether the draft was sealed or closed. */
  readonly closed: boolean;
  /**
   * Makes the object. Views of the memory in the value become views of the object's memory. The rest of the value is
   * copied.
   *
   * If this fails, the draft is still open. Its {@link buffer} may be another one then, with the same contents, and
   * the earlier one is empty.
   *
   * @throws SharedMemoryError `ERR_CLOSED` the draft was sealed or closed; and as {@link SharedObject.create}.
   */
  seal<T>(value: T): SharedObject<T>;
  /** Frees the memory, unless the draft was sealed. Idempotent. */
  close(): void;
  /** The same as {@link close}, for `using`. */
  [Symbol.dispose](): void;
}

/** How to make an object, apart from its value. */
interface Plan {
  readonly name: string;
  readonly mode: number;
  readonly handOver: boolean;
  readonly participants: number;
  readonly spill: string | undefined;
}

const planned = ['name', 'mode', 'handOver', 'participants', 'spill'] as const;

function planFor(options: Omit<SharedObjectCreateOptions<unknown>, 'from'>): Plan {
  const { name = freshName(), participants = defaultParticipants } = options;
  systemName('object', name);
  const mode = checkMode(options.mode);
  const handOver = checkBoolean('handOver', options.handOver);
  checkInteger('participants', participants, 1, mostParticipants);
  const spill = checkSpill(options.spill);
  if (spill !== undefined && name.includes('/')) {
    throw new SharedMemoryError(
      'EINVAL',
      `${called('object', name)} cannot have the option spill: its name says where it is`,
      { resource: name },
    );
  }
  return { name, mode, handOver, participants, spill };
}

/** Options of {@link SharedObject.attach}. */
export interface SharedObjectAttachOptions {
  /** Whether to take the object over from a creator that hands it over. Default false. */
  readonly handOver?: boolean | undefined;
}

/** The plain-data form of an object, to be sent to another process; see {@link SharedObject.toJSON}. */
export interface SharedObjectHandle<T = unknown> extends Typed<T> {
  readonly shmkit: 'object';
  readonly name: string;
  /** Whether whoever attaches by this handle takes the object over. */
  readonly handOver?: true;
}

/**
 * An immutable value of any shape in shared memory. Other processes get it by a handle of some sixty bytes, and read
 * it without copying its typed arrays and Buffers.
 *
 * Nobody deletes such an object. It exists as long as a thread that lives holds it: the thread that created it, and
 * every thread that has attached to it, until it closes its last handle or ends. What a thread that was killed held
 * counts for nothing. So pass the handle on while you hold the object, or create it with `handOver`.
 *
 * A handle that you forget to close is closed when it is collected as garbage. This takes turns of the event loop: a loop
 * that makes objects without any `await` must close them.
 *
 * A program may write into the typed arrays of {@link value}. Such a write stays private to its process, in a copy
 * of the page that it touches, and is lost when the process has closed its last handle to the object. (On macOS, which
 * makes no such copies, do not write.)
 *
 * No method blocks, except briefly while others attach to the same object or close it.
 */
export class SharedObject<T = unknown> extends NamedObject {
  declare readonly shmkit: 'object';
  readonly #holds: Holds;
  readonly #isHandedOver: boolean;
  #value: ReadValue | undefined;
  #isUnlinked = false;

  /** @param references - the holds of the objects in the value, if the object is new. */
  private constructor(request: Request, handOver: boolean, references?: readonly Reference[]) {
    const isHandedOver = handOver && references !== undefined;
    super(request, isHandedOver ? { handOver } : undefined);
    this.#isHandedOver = isHandedOver;
    this.#holds = this.stateBy((seat) => new Holds(seat));
    try {
      if (references === undefined) this.#holds.join(handOver);
      else this.#holds.begin(references);
    } catch (error) {
      this.attachment.close();
      throw error;
    }
  }

  /**
   * Makes a new object. It appears to others as a whole.
   *
   * The bytes of each ArrayBuffer are copied once, whatever refers to it; views of one buffer are views of one buffer
   * afterwards. Of a Buffer, only its own bytes are copied, and not those of the pool that it is part of.
   *
   * A buffer that is shared memory already is not copied, but referred to. If it belongs to the value of another
   * `SharedObject`, that one is held as long as this one. (It is copied if this process has written into it, and where the
   * system does not tell.) If it belongs to a `SharedArray` or a `SharedMemory`, its views show what others write there,
   * and the value can be read as long as their name exists. It is copied if not all who may use the new object can use the
   * other one as long: if that one belongs to a manager, if `mode` gives permissions to others, or if `participants` is
   * larger than there.
   *
   * @throws SharedMemoryError `EEXIST` the name is taken; `ENOSPC` there is no memory for the value, and nothing was
   * made; `EINVAL`, `ENAMETOOLONG` it cannot be a name; `ERR_ZERO_COPY_UNAVAILABLE`; `ENOENT` a `SharedObject` in the
   * value is gone.
   * @throws TypeError `ERR_INVALID_ARG_TYPE` the value cannot be cloned; the message says which part of it.
   */
  static create<T>(options: SharedObjectCreateOptions<T>): SharedObject<T> {
    checkOptions(options, ['from', ...planned], { from: {} });
    if (!('from' in options)) throw invalidType('options.from', 'the value to share', undefined);
    const plan = planFor(options);
    sweepOnce();
    const sealed = seal('from', options.from, plan);
    return withSpill(plan.spill, (directory) =>
      SharedObject.#make<T>(plan, nameIn(directory, plan.name), sealed),
    );
  }

  /**
   * Allocates memory for an object before its value is known. Fill the memory in place, for example by reading a file
   * into it. Then make the object by `seal`: its value may have views of the memory, which are not copied.
   *
   * On Windows and macOS, and on file systems without unnamed files, the memory is copied when it is sealed.
   *
   * @throws SharedMemoryError `ENOSPC` there is no memory of that size; `EINVAL`, `ENAMETOOLONG` it cannot be a name;
   * `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static allocate(options: SharedObjectAllocateOptions): SharedObjectDraft {
    checkOptions(options, ['size', ...planned], { size: 1 << 20 });
    const size = checkInteger('size', options.size, 1, Number.MAX_SAFE_INTEGER, 'bytes');
    const plan = planFor(options);
    sweepOnce();
    const startBytes = layout.headerBytes + wordsBytesFor(plan.participants);
    const draft = new Draft(plan.name, size, startBytes, plan.spill);
    const close = () => draft.close();
    return {
      size,
      get closed() {
        return !draft.isOpen;
      },
      get buffer() {
        return draft.buffer;
      },
      seal: <T>(value: T) => {
        const sealed = seal('value', value, plan, draft.allocated);
        const make = (
          directory: string | undefined,
          file: DraftHandle | undefined,
          copied?: Uint8Array,
        ) => SharedObject.#make<T>(plan, nameIn(directory, plan.name), sealed, file, copied);
        return draft.use((file, copied) =>
          file === undefined
            ? withSpill(plan.spill, (directory) => make(directory, undefined, copied))
            : withSweep(() => make(draft.directory, file), draft.directory),
        );
      },
      close,
      [Symbol.dispose]: close,
    };
  }

  static #make<T>(
    { mode, handOver, participants }: Plan,
    name: string,
    sealed: SealedValue,
    draft?: DraftHandle,
    copied?: Uint8Array,
  ): SharedObject<T> {
    const references = holdAll(sealed.held, handOver);
    try {
      const words = firstWords(name, handOver);
      const contents = sealedContents(sealed, words, participants, draft, copied);
      const request = toCreate('object', { name, mode }, contents);
      return new SharedObject<T>(request, handOver, references);
    } catch (error) {
      releaseReferences(references, handOver);
      throw error;
    }
  }

  /**
   * Attaches to an existing object, and holds it. The time does not depend on the size of the object.
   *
   * @throws SharedMemoryError `ENOENT` there is none: nobody holds it any more; `ERR_CAPACITY` as many threads hold it
   * as there is room for; `EACCES`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH`, `ERR_ZERO_COPY_UNAVAILABLE`.
   */
  static attach<T = unknown>(
    name: string,
    options: SharedObjectAttachOptions = {},
  ): SharedObject<T> {
    checkOptions(options, ['handOver']);
    const handOver = checkBoolean('handOver', options.handOver);
    return new SharedObject<T>(toAttach('object', name), handOver);
  }

  /**
   * Removes a name, although the object is held. Processes that are attached keep the object until they close it.
   * Nobody needs this in normal operation: the last that holds an object removes it.
   *
   * @throws SharedMemoryError `ENOENT` there is none; `EACCES`; `ERR_ABI_MISMATCH`.
   */
  static unlink(name: string): void {
    unlinkObject('object', name);
  }

  /**
   * The value. It is read when it is first used; after that, it is the same each time.
   *
   * ArrayBuffers of 4 KiB or more are shared memory, without a copy. They become empty when this handle is closed. The
   * rest of the value is of this thread alone, and stays.
   *
   * @throws SharedMemoryError `ERR_CLOSED`; `ERR_CORRUPT`, `ERR_ABI_MISMATCH` the value cannot be read here;
   * `ERR_ZERO_COPY_UNAVAILABLE` this runtime does not accept an ArrayBuffer of that size; what attaching to a shared
   * object in the value throws.
   */
  get value(): T {
    const attachment = this.attachment;
    attachment.open();
    if (this.#value === undefined) {
      this.#value = readSealed(attachment, this);
      this.#holds.noteShown(this.#value.shownBytes);
    }
    return this.#value.value as T;
  }

  /** The size of the whole object in bytes. */
  get size(): number {
    return this.attachment.seat.size;
  }

  /**
   * The number of threads that hold the object at this instant. It may have changed by the time you use the answer.
   *
   * @throws SharedMemoryError `ERR_CLOSED`
   */
  get holders(): number {
    this.attachment.open();
    return this.#holds.count();
  }

  /**
   * Removes the name, although the object is held. Processes that are attached keep the object until they close
   * it. If the object has disappeared with its last holder, there is nothing to remove, and that is no error.
   *
   * @throws SharedMemoryError `ENOENT` the name is gone, or leads to another object now.
   */
  override unlink(): void {
    try {
      super.unlink();
    } catch (error) {
      if (!this.closed || this.#isUnlinked || !hasCode(error, 'ENOENT')) throw error;
    }
    this.#isUnlinked = true;
  }

  /** The plain-data form. Send it to another process, which passes it to {@link attach}. */
  toJSON(): SharedObjectHandle<T> {
    const { name } = this;
    return this.#isHandedOver
      ? { shmkit: 'object', name, handOver: true }
      : { shmkit: 'object', name };
  }

  /** @internal */
  protected letGo(): void {
    this.#value?.lenders.close();
    this.attachment.close();
    this.#value = undefined;
  }
}

tellClass('object', SharedObject, ({ name, handOver }: SharedObjectHandle) =>
  SharedObject.attach(name, { handOver }),
);

keepValues();
