import { Disposition, native, type NativeFailure, type NativeRefusal } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { called, checkMayBeMade, checkedSystemName, isManaged } from './names';
import { growingKinds, kindNumbers, layout, type ObjectKind } from './layout';

/** What a new object is to be like, and what one that is there is found to be. */
export interface ObjectShape {
  readonly type: number;
  readonly length: number;
}

/** What a creator puts into an object of some kind, beside its header. */
export interface Contents extends ObjectShape {
  readonly wordsBytes: number;
  readonly dataBytes: number;
  readonly words?: Uint8Array | undefined;
  readonly data?: Uint8Array | undefined;
  /**
   * Of an object that grows, by its kind: how many bytes of the whole object there are at first. Of
   * others all are there, always.
   */
  readonly firstBytes?: number;
}

/** An object that has nothing but its lock. */
export const noContents: Contents = { type: 0, length: 0, wordsBytes: 0, dataBytes: 0 };

/** What the system says when a name is gone; one that leads to another object is as good as that. */
export const nameMovedOn: NativeFailure = { code: 'ENOENT', errno: -2, syscall: 'unlink' };

const found = new Float64Array(4);

/** What an object's header said when this thread first opened it. */
interface Found extends ObjectShape {
  readonly index: number;
  readonly dataAt: number;
  readonly size: number;
}

/** Opens an object natively; each success is to be paired with a `leave` of its seat. */
export function openObject(
  kind: ObjectKind,
  name: string,
  mode: number,
  disposition: Disposition,
  contents: Contents,
): Found | NativeFailure | NativeRefusal {
  if (disposition !== Disposition.Attach) checkMayBeMade(kind, name);
  const firstBytes = growingKinds.has(kind) ? 1 : 0;
  const plan = { kind: kindNumbers[kind], firstBytes, ...contents };
  const index = native.objectOpen(checkedSystemName(kind, name), mode, disposition, plan, found);
  if (typeof index !== 'number') return index;
  const [type = 0, length = 0, dataAt = 0, size = 0] = found;
  return { index, type, length, dataAt, size };
}

/** What the class of an object keeps for all handles of one thread. */
export interface SeatState {
  /** The last of them lets go. */
  close(): void;
  /** What this thread did under the object's lock was interrupted: what it knows of that says nothing. */
  interrupted?(): void;
}

/** What all handles of one thread to one object share: its place in native, and its words. */
export class ObjectSeat implements ObjectShape {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly index: number;
  readonly type: number;
  readonly length: number;
  /** Where the object's own data begin, in bytes. */
  readonly dataAt: number;
  /** Of the whole object, in bytes. */
  readonly size: number;
  /** Whether a manager made it, with which it ends. */
  readonly isManaged: boolean;
  #words: Int32Array<ArrayBuffer> | undefined;
  #end: Int32Array<ArrayBuffer> | undefined;
  #state: SeatState | undefined;
  /** What the classes of other realms keep, by the prototype of their functions. */
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

  /** Whether the manager that made it has ended, and with it this object. */
  get hasEnded(): boolean {
    return this.isManaged && (this.#end ??= this.#showEnd())[0] !== 0;
  }

  /** What whoever uses it gets then. */
  endedError(): SharedMemoryError {
    return new SharedMemoryError(
      'ERR_SHUTDOWN',
      `${called(this.kind, this.name)} has ended with the manager that made it: that was shut down, or its ` +
        'owner has ended',
      { resource: this.name },
    );
  }

  /** Which object it is, among all that ever bear its name. */
  get id(): string {
    return native.objectId(this.index);
  }

  /**
   * The words between header and data, by which the library's own classes keep what they share. No
   * user ever gets a view of them.
   */
  get words(): Int32Array<ArrayBuffer> {
    return this.#words ?? this.#showWords(); // apart: what is short is inlined
  }

  #showWords(): Int32Array<ArrayBuffer> {
    const { headerBytes } = layout;
    const shown = this.showWithin(headerBytes, this.dataAt - headerBytes);
    return (this.#words = new Int32Array(shown));
  }

  /**
   * The words, of which there must be so many at least.
   *
   * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ZERO_COPY_UNAVAILABLE`
   */
  wordsOf(least: number): Int32Array<ArrayBuffer> {
    const { words } = this;
    if (words.length >= least) return words;
    throw new SharedMemoryError(
      'ERR_CORRUPT',
      `${called(this.kind, this.name)} has a header that makes no sense; unlink() removes it`,
      { resource: this.name },
    );
  }

  /**
   * The state that the object's class keeps here; each object is of one class, in each realm. So what
   * it makes of shared bytes, and what it throws, is of the realm that asks.
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

  /** The same, of what is one for all realms. */
  commonState<S extends SeatState>(make: () => S): S {
    return (this.#state ??= make()) as S;
  }

  /** Tells the state that what this thread did under the lock was interrupted. */
  protected interrupted(): void {
    this.#state?.interrupted?.();
    for (const each of this.#foreignStates?.values() ?? []) each.interrupted?.();
  }

  /** A new ArrayBuffer over some of the object's bytes, for the library's users. */
  show(offset: number, length: number): ArrayBuffer {
    return this.#show(offset, length, true);
  }

  /**
   * The same for the library itself: no user ever gets it, no call that fills memory on another thread
   * does, and it is hidden before the seat is left.
   */
  showWithin(offset: number, length: number): ArrayBuffer {
    return this.#show(offset, length, false);
  }

  #show(offset: number, length: number, withUsers: boolean): ArrayBuffer {
    const buffer = native.objectBuffer(this.index, offset, length, withUsers);
    if (buffer !== undefined) return buffer;
    throw new SharedMemoryError(
      'ERR_ZERO_COPY_UNAVAILABLE',
      `${called(this.kind, this.name)}: this runtime takes no outside memory of ${length} bytes as ` +
        'an ArrayBuffer; NamedLock, and SharedMemory with read() and write(), do without',
      { resource: this.name },
    );
  }

  /** Where the runtime takes no outside memory there are locks only, which tell when they are acquired. */
  #showEnd(): Int32Array<ArrayBuffer> {
    return new Int32Array(
      native.objectBuffer(this.index, layout.endedAt, 4, false) ?? new ArrayBuffer(4),
    );
  }

  /** The last handle of this thread lets go. */
  protected close(): void {
    this.#state?.close();
    for (const each of this.#foreignStates?.values() ?? []) each.close();
    if (this.#end) native.objectHide(this.index, this.#end.buffer);
    if (this.#words) native.objectHide(this.index, this.#words.buffer);
    native.objectClose(this.index);
  }
}
