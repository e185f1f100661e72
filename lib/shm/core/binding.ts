import { home } from '../../loading/home';

/** A system call that failed. */
export interface NativeFailure {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  /** The directory that contains all objects, if the directory is the cause and not the object. */
  readonly place?: string;
  /** How many bytes of memory were requested, if there were too few. */
  readonly bytes?: number;
}

/** Why a header was refused: `Refusal` in shared_object.h. */
export const enum Refusal {
  Truncated = 1,
  Foreign = 2,
  Version = 3,
  Abi = 4,
  Kind = 5,
  Unfinished = 6,
}

/** An object that has the right name but cannot be used. */
export interface NativeRefusal {
  readonly refusal: Refusal;
  readonly found: number;
}

/** Opaque: a mapped segment. */
export interface SegmentHandle {
  readonly __segment: never;
}

/** Opaque: memory for an object that gets its name later. */
export interface DraftHandle {
  readonly __draft: never;
}

export interface NativeListing {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
}

/** What a creator puts into an object besides its header. */
export interface NativeContents {
  readonly kind: number;
  readonly type: number;
  readonly length: number;
  /** The words follow the header. A multiple of `layout.dataAlignment`. */
  readonly wordsBytes: number;
  /** The data follows the words. */
  readonly dataBytes: number;
  /** The beginning of the words; the rest is zero. */
  readonly words?: Uint8Array | undefined;
  readonly data?: Uint8Array | undefined;
  /**
   * For an object that grows: how many bytes have memory at first. To attach to it, any number except 0. 0
   * means that the object does not grow.
   */
  readonly firstBytes: number;
  /**
   * Whether only the header and the words are shared memory, and the data never change. Header and words must
   * fill whole units of `mapUnit` bytes, and the data are given as `pieces`.
   */
  readonly sealed: boolean;
  readonly pieces?: NativePieces | undefined;
  /** Memory that has a part of the data already. */
  readonly draft?: DraftHandle | undefined;
}

/** The parts of the data of a sealed object. What lies between them is zero. */
export interface NativePieces {
  readonly bytes: readonly Uint8Array[];
  /** The offset of each in the data. */
  readonly at: Float64Array;
}

/** The outcome of an acquisition, unless it was a plain success: `Acquired` in shared_object.h. */
export const enum Acquired {
  Yes = 0,
  Abandoned = 1,
  Timeout = 2,
  Gone = 3,
  Broken = 4,
  TooManyHeld = 5,
  Ended = 6,
  Shallow = 7,
}

/** `Disposition` in shared_object.h. */
export const enum Disposition {
  Create = 0,
  Attach = 1,
  Open = 2,
}

/** What happens to a name when its manager ends: `ManagedAs` in manager_end.h. */
export const enum ManagedAs {
  Memory = 0,
  Lock = 1,
  Object = 2,
}

/**
 * The addon's functions. They do not check their arguments: callers have done that. They do not throw, but return
 * failures as data. The only exception is a call with a `seat` that was closed. A seat is what all handles of this
 * thread to one object share; here it is a number.
 */
interface Native {
  segmentCreate(
    name: string,
    size: number,
    mode: number,
    sparse: boolean,
    /** The first element is set to the segment's size. */
    sizeMade: Float64Array,
    /** The initial contents, at most as long as the segment. */
    contents: Uint8Array | undefined,
  ): SegmentHandle | NativeFailure;
  segmentAttach(
    name: string,
    readOnly: boolean,
    sizeFound: Float64Array,
  ): SegmentHandle | NativeFailure;
  /**
   * Reserves memory, in a directory or, if that is empty, in the usual place. The code of the failure is `ENOTSUP` if
   * the system cannot name it later.
   */
  draftBegin(bytes: number, directory: string): DraftHandle | NativeFailure;
  /** Makes a buffer over all bytes from the offset on; `undefined` where the runtime refuses external memory. */
  draftShow(draft: DraftHandle, offset: number): ArrayBuffer | NativeFailure | undefined;
  /** Makes the buffer empty. Must be called before an object is made out of the draft, and before `draftEnd`. */
  draftHide(draft: DraftHandle, buffer: ArrayBuffer | undefined): void;
  /** Frees the memory, unless an object was made out of it. */
  draftEnd(draft: DraftHandle): void;
  /** A new buffer each time; `undefined` where the runtime refuses external memory. */
  segmentBuffer(handle: SegmentHandle, offset: number, length: number): ArrayBuffer | undefined;
  segmentClose(handle: SegmentHandle, buffer: ArrayBuffer | undefined): void;
  segmentCopyOut(handle: SegmentHandle, offset: number, target: Uint8Array): void;
  segmentCopyIn(handle: SegmentHandle, offset: number, source: Uint8Array): void;
  segmentUnlink(name: string, handle: SegmentHandle | undefined): NativeFailure | undefined;
  segmentList(): NativeListing[] | NativeFailure;
  /** Whether the name leads to this segment. */
  segmentIsNamed(handle: SegmentHandle, name: string): boolean;
  /**
   * Whether this process certainly sees what others see, although its writes stay private: it has written nothing. False
   * if the system does not tell.
   */
  segmentIsUnwritten(handle: SegmentHandle, offset: number, bytes: number): boolean;
  /**
   * How many bytes of memory the process may have, as far as the system tells. 2 ** 64 or more means no
   * limit.
   */
  memoryLimit(): number;
  /** Tells the engine that objects of JavaScript keep more bytes alive outside of its heap, or fewer. */
  externalMemory(change: number): void;

  /**
   * Initializes the addon for this thread.
   *
   * @param control - the memory that is described in shm/core/control.ts.
   * @param onGrant - called when the agent of a seat has an outcome (see `agentRequest`).
   * @param onNews - called when a watch has ended a wait (see `watchOpen`).
   * @param onTurn - called at the end of a turn of the event loop, where the runtime reports it, with the seats
   * that were locked in this turn and still are. It is not called if there are none, unless `controlAt.lookAtEnd`
   * is set.
   * @param nothing - an empty function. A blocked call calls it from time to time. If such a call fails, the thread
   * is being terminated.
   */
  initialize(
    control: Int32Array,
    onGrant: (seat: number) => void,
    onNews: (watch: number) => void,
    onTurn: (seats: readonly number[]) => void,
    nothing: () => void,
  ): void;

  objectOpen(
    name: string,
    mode: number,
    disposition: Disposition,
    contents: NativeContents,
    /** Set to the type, the length, the offset of the data, and the size of the object. */
    found: Float64Array,
  ): number | NativeFailure | NativeRefusal;
  objectClose(seat: number): void;
  /** Identifies the object among all objects that ever have its name. */
  objectId(seat: number): string;
  /** @param held - whether this thread holds the lock, itself or through its agent (see `agentRequest`). */
  objectRemoveName(seat: number, held: boolean): NativeFailure | undefined;
  /** Ends the object: nobody can use it any more, and its name is removed. */
  objectEnd(seat: number, isLock: boolean, held: boolean): NativeFailure | undefined;
  /**
   * A new buffer each time; `undefined` where the runtime refuses external memory.
   *
   * @param withUsers - whether users of the library get the buffer. If all buffers of an object were only for
   * the library, and all were hidden, its memory is unmapped when the object is closed.
   */
  objectBuffer(
    seat: number,
    offset: number,
    length: number,
    withUsers: boolean,
  ): ArrayBuffer | undefined;
  /** Empties an ArrayBuffer that only the library had. Must be called only once for each. */
  objectHide(seat: number, buffer: ArrayBuffer): void;
  /** The same as `segmentIsUnwritten` for the data of a sealed object. */
  objectIsUnwritten(seat: number, offset: number, bytes: number): boolean;
  /** For an object that grows: provides memory for so many bytes from the offset on. */
  objectCommit(seat: number, offset: number, bytes: number): NativeFailure | undefined;
  bufferDetach(buffer: ArrayBuffer): void;

  /** Blocks while the word at the offset is equal to `seen`. May return without a reason. */
  wordWait(seat: number, offset: number, seen: number, milliseconds: number): void;
  wordWake(seat: number, offset: number, count: number): void;
  /**
   * Makes a watch: a wait for the word at the offset to change, done by a thread of the library, so that this
   * thread need not block. Returns the number of the watch, or undefined if the object has no word there.
   */
  watchOpen(seat: number, offset: number): number | undefined;
  /**
   * Begins a wait that ends when the word is not equal to `seen`, or when the time is over. Returns false if the
   * system cannot start a thread for it.
   *
   * @param isAwaited - whether the event loop is kept alive until the wait is settled.
   */
  watchWait(watch: number, seen: number, milliseconds: number, isAwaited: boolean): boolean;
  watchSettle(watch: number): void;
  watchCancel(watch: number): void;
  watchClose(watch: number): void;

  /**
   * Returns this thread's token: a number that stands for the thread in shared memory. Other threads and processes
   * pass it to `isPresent` to find out whether the thread is still alive.
   */
  presenceToken(): number | NativeFailure;
  isPresent(token: number): boolean;

  readonly lock: () => Acquired | undefined;
  readonly tryLock: () => Acquired | undefined;
  /** Returns true if the agent has to unlock the lock, which takes a moment. */
  readonly unlock: () => true | undefined;
  /**
   * Adds to a float64 in an object, atomically. The arguments and the result are float64 elements of `control`:
   * element 1 is the offset, element 2 the number to add. Element 3 is set to the value before.
   */
  readonly addFloat64: () => void;

  lockWithin(seat: number, milliseconds: number): Acquired | undefined;
  /**
   * Releases a lock under which nothing was changed. If it was abandoned by an owner that died, the next owner is
   * still told so.
   */
  lockPutBack(seat: number, abandoned: boolean): void;
  /** Marks the lock that this thread holds: the next owner is told that its owner died. */
  lockAbandon(seat: number): void;
  /**
   * After `Acquired.Shallow`, this must be called from deeper and deeper stack frames, until it returns true:
   * then the stack suffices for what is done under a lock (native/binding/stack.h).
   */
  readonly proveStack: () => boolean;
  lockIsLocked(seat: number): boolean;
  lockUnlink(seat: number, held: boolean): NativeFailure | undefined;

  /**
   * Keeps the event loop alive while tasks of this thread wait for a lock that another task of it holds, or stops
   * doing so.
   */
  lockAwait(seat: number, isAwaited: boolean): void;

  /**
   * Asks the seat's agent to acquire the lock. The agent is a thread of the library that acquires, holds and
   * releases the lock on behalf of this thread, which need not block (native/core/agent_thread.h). The functions
   * below withdraw the request, and collect the outcome. `unlock` releases the lock. Returns false if the system cannot start
   * the thread.
   */
  agentRequest(seat: number, spins: boolean): boolean;
  agentCancel(seat: number): void;
  agentCollect(seat: number): Acquired | undefined;
  agentCollectWithin(seat: number, milliseconds: number | undefined): Acquired | undefined;
  /** Blocks for the moment that the agent needs to unlock what this thread has released. */
  agentAwaitReturn(seat: number): void;

  /** These write a time to the words of `control`, as float64 in 4: see `now` and `sinceBoot` in clock.ts. */
  readonly now: () => void;
  readonly sinceBoot: () => void;
  /** Milliseconds since 1970, for people to read. */
  timeOfDay(): number;
  alarmInitialize(onAlarm: () => void): void;
  /**
   * Sets when `onAlarm` is called. This replaces the moment that was set before. Returns false if the system cannot
   * start the thread that waits for the moment.
   */
  alarmSet(milliseconds: number): boolean;
  /** Sets whether the alarm keeps the event loop alive. */
  alarmExpect(expects: boolean): void;

  /**
   * Makes the manager of that seat end when this thread ends. Native code does this, after all JavaScript of the
   * thread. If the process is ended by a signal, native code does this too, on systems where it can receive the
   * signal (native/binding/signals.h).
   *
   * @param name - the manager's system name.
   * @param heads - the prefixes of the system names of all objects that the manager made. For each kind: a
   * digit of {@link ManagedAs}, the text, and NUL.
   * @param numbers - the manager's kind; whether it is a manager of peers; the offsets in bytes of its end
   * word, of the number of roster entries used, and of the first entry; the size of an entry; the number of
   * values that one half of a token can have (a token is stored as two halves). One more element is set by the
   * call: to 1 if signals are received as requested, and to 0 otherwise.
   * @returns the number to pass to endingRemove.
   */
  endingAdd(
    seat: number,
    name: string,
    heads: string,
    numbers: Float64Array,
    hearsSignals: boolean,
  ): number;
  endingRemove(ending: number): void;
  /** Called when the process ends. Ends all managers that its threads have added. */
  endingsEndAll(): void;

  /** 64 random bits. The global `crypto` would load much of Node, which takes 5 ms when it is first used. */
  randomBits(): bigint;

  readonly nameLimitBytes: number;
  /** The unit in which a part of an object can be mapped in another way than the rest. */
  readonly mapUnit: number;
  /** False on Windows, where an object and its name disappear with the last handle. */
  readonly namesOutliveHandles: boolean;
  /** The directory in which segments are files with their names, if there is one. */
  readonly place?: string;
  readonly layout: Readonly<Record<string, number>>;
  /** The values of the enumerations above in native code. A test compares the two. */
  readonly numbers: Readonly<Record<string, number>>;
}

export const native = home().addon as Native;

export const { thread } = home();
