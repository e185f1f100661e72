import { home } from '../../loading/home';

/** A system call that failed. */
export interface NativeFailure {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  /** Where not the object is at fault but the directory in which all objects are: that. */
  readonly place?: string;
  /** Of memory that were asked for, where there were too few. */
  readonly bytes?: number;
}

/** Why a header was found wanting: `Refusal` in shared_object.h. */
export const enum Refusal {
  Truncated = 1,
  Foreign = 2,
  Version = 3,
  Abi = 4,
  Kind = 5,
  Unfinished = 6,
}

/** An object that bears the right name and is not one to use. */
export interface NativeRefusal {
  readonly refusal: Refusal;
  readonly found: number;
}

/** Opaque: a mapped segment. */
export interface SegmentHandle {
  readonly __segment: never;
}

export interface NativeListing {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
}

/** What a creator puts into an object beside its header. */
export interface NativeContents {
  readonly kind: number;
  readonly type: number;
  readonly length: number;
  /** After the header; a multiple of `layout.dataAlignment`. */
  readonly wordsBytes: number;
  /** After the words. */
  readonly dataBytes: number;
  /** What the words begin with; the rest is zero. */
  readonly words?: Uint8Array | undefined;
  readonly data?: Uint8Array | undefined;
  /**
   * Of an object that grows: how many bytes of it there are at first; any number but 0 to attach to
   * it. 0: it does not grow.
   */
  readonly firstBytes: number;
}

/** How an acquisition ended, where that is not plainly well: `Acquired` in shared_object.h. */
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

/** What becomes of a name whose manager ends: `ManagedAs` in manager_end.h. */
export const enum ManagedAs {
  Memory = 0,
  Lock = 1,
  Object = 2,
}

/**
 * The addon's functions. They return data; arguments are checked before, and all that they throw for
 * is a number of a seat that was closed.
 */
interface Native {
  segmentCreate(
    name: string,
    size: number,
    mode: number,
    sparse: boolean,
    /** Its first element becomes the segment's size. */
    sizeMade: Float64Array,
    /** What it begins with; no longer than it. */
    contents: Uint8Array | undefined,
  ): SegmentHandle | NativeFailure;
  segmentAttach(
    name: string,
    readOnly: boolean,
    sizeFound: Float64Array,
  ): SegmentHandle | NativeFailure;
  /** A new one each time; `undefined` where the runtime refuses external memory. */
  segmentBuffer(handle: SegmentHandle): ArrayBuffer | undefined;
  segmentClose(handle: SegmentHandle, buffer: ArrayBuffer | undefined): void;
  segmentCopyOut(handle: SegmentHandle, offset: number, target: Uint8Array): void;
  segmentCopyIn(handle: SegmentHandle, offset: number, source: Uint8Array): void;
  segmentUnlink(name: string, handle: SegmentHandle | undefined): NativeFailure | undefined;
  segmentList(): NativeListing[] | NativeFailure;
  /** How many bytes the process may have, as far as it is told; 2 ** 64 and more: any number. */
  memoryLimit(): number;

  /**
   * `control` is what shm/core/control.ts says. `onTurn` is called when a turn of the event loop has
   * ended, where the runtime tells, if some seats were locked in it and still are, or something is to
   * be looked at. A blocked call calls `nothing` now and then: that it cannot any more tells it that
   * the thread is being ended.
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
    /** Becomes type, length, where the data begin, and the size of the object. */
    found: Float64Array,
  ): number | NativeFailure | NativeRefusal;
  objectClose(seat: number): void;
  /** Which object it is, among all that ever bear its name. */
  objectId(seat: number): string;
  /** @param held - by this thread, itself or through its agent */
  objectRemoveName(seat: number, held: boolean): NativeFailure | undefined;
  /** Nobody uses it any more, and its name goes. */
  objectEnd(seat: number, isLock: boolean, held: boolean): NativeFailure | undefined;
  /**
   * A new one each time; `undefined` where the runtime refuses external memory.
   *
   * @param withUsers - whether others than the library get it. The memory of an object that only the
   * library was shown is unmapped when it is closed, if all that it had were hidden.
   */
  objectBuffer(
    seat: number,
    offset: number,
    length: number,
    withUsers: boolean,
  ): ArrayBuffer | undefined;
  /** Empties an ArrayBuffer that only the library had. Once each. */
  objectHide(seat: number, buffer: ArrayBuffer): void;
  /** Of an object that grows: has memory be there from the offset on, so many bytes. */
  objectCommit(seat: number, offset: number, bytes: number): NativeFailure | undefined;
  bufferDetach(buffer: ArrayBuffer): void;

  /** Blocks while the word at the offset is what was seen; may return for no reason. */
  wordWait(seat: number, offset: number, seen: number, milliseconds: number): void;
  wordWake(seat: number, offset: number, count: number): void;
  watchOpen(seat: number, offset: number): number | undefined;
  /**
   * False where the system gives no thread.
   *
   * @param isAwaited - whether the event loop stays alive until it is settled.
   */
  watchWait(watch: number, seen: number, milliseconds: number, isAwaited: boolean): boolean;
  watchSettle(watch: number): void;
  watchCancel(watch: number): void;
  watchClose(watch: number): void;

  /** This thread's token, by which others see whether it is still there. */
  presenceToken(): number | NativeFailure;
  isPresent(token: number): boolean;

  readonly lock: () => Acquired | undefined;
  readonly tryLock: () => Acquired | undefined;
  readonly unlock: () => void;
  /** Its operands are the words of `control` as float64: where from 1, what in 2; before in 3. */
  readonly addFloat64: () => void;

  lockWithin(seat: number, milliseconds: number): Acquired | undefined;
  /** Gives back what nobody used, with the news it came with. */
  lockPutBack(seat: number, abandoned: boolean): void;
  /** Whoever gets the lock next, which this thread holds, is told that its owner died. */
  lockAbandon(seat: number): void;
  /**
   * To be called from further and further down, after `Acquired.Shallow`, until it returns true: the
   * stack suffices for what is done under a lock (native/binding/stack.h).
   */
  readonly proveStack: () => boolean;
  lockIsLocked(seat: number): boolean;
  lockUnlink(seat: number, held: boolean): NativeFailure | undefined;

  /** Whether tasks of this thread wait for each other to release it, which keeps the event loop alive. */
  lockAwait(seat: number, isAwaited: boolean): void;

  /** False where the system gives no thread. */
  agentRequest(seat: number): boolean;
  agentCancel(seat: number): void;
  agentCollect(seat: number): Acquired | undefined;
  agentCollectWithin(seat: number, milliseconds: number | undefined): Acquired;
  agentRelease(seat: number): void;
  /** Blocks for the moment that the agent takes to unlock what this thread has released. */
  agentAwaitReturn(seat: number): void;

  /** Leave a time in the words of `control`, as float64 in 4: see `now` and `sinceBoot` in clock.ts. */
  readonly now: () => void;
  readonly sinceBoot: () => void;
  /** In milliseconds since 1970, for people. */
  timeOfDay(): number;
  alarmInitialize(onAlarm: () => void): void;
  /** Replaces the moment that was set before. False where the system gives no thread. */
  alarmSet(milliseconds: number): boolean;
  /** Whether the event loop is kept alive. */
  alarmExpect(expects: boolean): void;

  /**
   * Has the manager of that seat end with this thread, when that runs no JavaScript any more, or by a signal,
   * where native can hear of these (native/binding/signals.h).
   *
   * @param name - the system's.
   * @param heads - what the system's names begin with of all that it made: for each kind, a digit of
   * {@link ManagedAs}, the text, and NUL.
   * @param numbers - its kind, whether it is of peers, and in bytes from its first: where its end is, how many
   * entries of its roster were used, the first of them; then the size of one, and the range of half a token. One
   * more becomes 1 where signals are heard, as they are to be, and 0 otherwise.
   * @returns by which number endingRemove knows it.
   */
  endingAdd(
    seat: number,
    name: string,
    heads: string,
    numbers: Float64Array,
    hearsSignals: boolean,
  ): number;
  endingRemove(ending: number): void;
  /** The process ends now: so does all that its threads have added. */
  endingsEndAll(): void;

  readonly nameLimitBytes: number;
  /** False on Windows, where an object and its name go with the last handle. */
  readonly namesOutliveHandles: boolean;
  /** The directory in which segments are files of their names, where there is one. */
  readonly place?: string;
  readonly layout: Readonly<Record<string, number>>;
  /** The enumerations above as the other side has them; a test compares the two. */
  readonly numbers: Readonly<Record<string, number>>;
}

export const native = home().addon as Native;

export const { thread } = home();
