import {
  Disposition,
  native,
  type DraftHandle,
  type NativeFailure,
  type NativePieces,
  type NativeRefusal,
} from './binding';
import { SharedMemoryError } from '../../common/errors';
import { called, checkMayBeMade, checkedSystemName, isManaged } from './names';
import { growingKinds, kindNumbers, layout, sealedKinds, type ObjectKind } from './layout';

/** The shape requested for a new object, or found in an existing one. */
export interface ObjectShape {
  readonly type: number;
  readonly length: number;
}

/** What a creator puts into an object of some kind, besides its header. */
export interface Contents extends ObjectShape {
  readonly wordsBytes: number;
  readonly dataBytes: number;
  readonly words?: Uint8Array | undefined;
  readonly data?: Uint8Array | undefined;
  /**
   * For kinds that grow: how many bytes of the whole object have memory at first. Objects of other kinds
   * always have all of their memory.
   */
  readonly firstBytes?: number;
  /** For kinds that are sealed: the data. */
  readonly pieces?: NativePieces;
  /** For kinds that are sealed: memory that has a part of the data already. */
  readonly draft?: DraftHandle | undefined;
}

/** For an object that has nothing but its lock. */
export const noContents: Contents = { type: 0, length: 0, wordsBytes: 0, dataBytes: 0 };

/**
 * What the system reports when a name is gone. A name that leads to another object is treated the same way.
 */
export const nameMovedOn: NativeFailure = { code: 'ENOENT', errno: -2, syscall: 'unlink' };

const found = new Float64Array(4);

/** What the object's header said when this thread first opened it. */
interface Found extends ObjectShape {
  readonly index: number;
  readonly dataAt: number;
  readonly size: number;
}

/** Opens an object natively. Each success must be paired with a `leave` of its seat. */
export function openObject(
  kind: ObjectKind,
  name: string,
  mode: number,
  disposition: Disposition,
  contents: Contents,
): Found | NativeFailure | NativeRefusal {
  if (disposition !== Disposition.Attach) checkMayBeMade(kind, name);
  const firstBytes = growingKinds.has(kind) ? 1 : 0;
  const sealed = sealedKinds.has(kind);
  const plan = { kind: kindNumbers[kind], firstBytes, sealed, ...contents };
  const index = native.objectOpen(checkedSystemName(kind, name), mode, disposition, plan, found);
  if (typeof index !== 'number') return index;
  const [type = 0, length = 0, dataAt = 0, size = 0] = found;
  return { index, type, length, dataAt, size };
}

/**
 * The state that a class such as `NamedSemaphore` keeps for one object. All handles of one thread to the object
 * share it.
 */
export interface SeatState {
  /** Called when the last of these handles was closed or garbage collected. */
  close(): void;
  /**
   * Called when this thread was interrupted while it worked under the object's lock. What the state has
   * cached about that work is no longer valid.
   */
  interrupted?(): void;
}

/**
 * A seat: what all handles of one thread to one object share. This is the index by which the addon knows the object,
 * and the object's words.
 */
export class ObjectSeat implements ObjectShape {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly index: number;
  readonly type: number;
  readonly length: number;
  /** The offset in bytes at which the object's own data begins. */
  readonly dataAt: number;
  /** The size of the whole object in bytes. */
  readonly size: number;
  /** Whether a manager made the object. The object ends with that manager. */
  readonly isManaged: boolean;
  #words: Int32Array<ArrayBuffer> | undefined;
  #end: Int32Array<ArrayBuffer> | undefined;
  #state: SeatState | undefined;
  /** The states of the classes of other realms. The key is the prototype of functions in that realm. */
  #foreignStates: Map<object, SeatState> | undefined;

  constructor(kind: ObjectKind, name: string, { index, type, length, dataAt, size }: Found) {
    this.kind = kind;
    this.name = name;
    this.index = index;
    this.type = type;
    this.length = length;
    this.dataAt = dataAt;
    this.size = size;
    this.isManaged = isManaged(name);
  }

  /** Whether the manager that made the object has ended. The object has ended with it. */
  get hasEnded(): boolean {
    return this.isManaged && (this.#end ??= this.#showEnd())[0] !== 0;
  }

  /** The error for users of an object that has ended. */
  endedError(): SharedMemoryError {
    return new SharedMemoryError(
      'ERR_SHUTDOWN',
      `${called(this.kind, this.name)} has ended together with its manager: the manager was shut down, or ` +
        'its owner has ended',
      { resource: this.name },
    );
  }

  /** Identifies the object among all objects that ever have its name. */
  get id(): string {
    return native.objectId(this.index);
  }

  /**
   * The words between header and data, in which the library's own classes keep their shared state. Users
   * never get a view of them.
   */
  get words(): Int32Array<ArrayBuffer> {
    return this.#words ?? this.#showWords(); // a separate method, so that this short getter is inlined
  }

  #showWords(): Int32Array<ArrayBuffer> {
    const { headerBytes } = layout;
    const shown = this.showWithin(headerBytes, this.dataAt - headerBytes);
    return (this.#words = new Int32Array(shown));
  }

  /**
   * The words, after a check that there are at least as many as required.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ZERO_COPY_UNAVAILABLE`
   */
  wordsOf(least: number): Int32Array<ArrayBuffer> {
    const { words } = this;
    if (words.length >= least) return words;
    throw new SharedMemoryError(
      'ERR_CORRUPT',
      `${called(this.kind, this.name)} has an invalid header; unlink() removes it`,
      { resource: this.name },
    );
  }

  /**
   * The state that the object's class keeps here. In each realm, an object has one class and one state. So
   * the values that are made from shared bytes, and the errors that are thrown, are of the caller's realm.
   */
  state<S extends SeatState>(make: () => S): S {
    const realm = Reflect.getPrototypeOf(make);
    if (realm === null || realm === Function.prototype) return this.commonState(make);
    const states = (this.#foreignStates ??= new Map<object, SeatState>());
    const known = states.get(realm);
    if (known !== undefined) return known as S;
    const made = make();
    states.set(realm, made);
    return made;
  }

  /** Returns the state that the object's class keeps here, if it is one state for all realms. */
  commonState<S extends SeatState>(make: () => S): S {
    return (this.#state ??= make()) as S;
  }

  /** Tells the states that this thread was interrupted in its work under the lock. */
  protected interrupted(): void {
    this.#state?.interrupted?.();
    for (const each of this.#foreignStates?.values() ?? []) each.interrupted?.();
  }

  /** A new ArrayBuffer over some of the object's bytes, for users of the library. */
  show(offset: number, length: number): ArrayBuffer {
    return this.#show(offset, length, true);
  }

  /**
   * A new ArrayBuffer over some of the object's bytes, for the library only. It must never be passed to users, or
   * to a call that fills memory on another thread. It must be emptied (`objectHide`) before the object is closed.
   */
  showWithin(offset: number, length: number): ArrayBuffer {
    return this.#show(offset, length, false);
  }

  #show(offset: number, length: number, withUsers: boolean): ArrayBuffer {
    const buffer = native.objectBuffer(this.index, offset, length, withUsers);
    if (buffer !== undefined) return buffer;
    throw new SharedMemoryError(
      'ERR_ZERO_COPY_UNAVAILABLE',
      `${called(this.kind, this.name)}: this runtime does not accept ${length} bytes of external ` +
        'memory as an ArrayBuffer; NamedLock, and read() and write() of SharedMemory, work without it',
      { resource: this.name },
    );
  }

  /**
   * Returns the word that says whether the object has ended. Where the runtime accepts no external memory, this is
   * a word that is always 0. Only locks work there, and they report the end when they are acquired.
   */
  #showEnd(): Int32Array<ArrayBuffer> {
    return new Int32Array(
      native.objectBuffer(this.index, layout.endedAt, 4, false) ?? new ArrayBuffer(4),
    );
  }

  /** Called when the last handle of this thread was closed or garbage collected. */
  protected close(): void {
    this.#state?.close();
    for (const each of this.#foreignStates?.values() ?? []) each.close();
    if (this.#end) native.objectHide(this.index, this.#end.buffer);
    if (this.#words) native.objectHide(this.index, this.#words.buffer);
    native.objectClose(this.index);
  }
}
