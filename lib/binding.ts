import path from 'node:path';
import loadAddon from 'node-gyp-build';

/** A system call that failed. */
export interface NativeFailure {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
}

/** Why a header was found wanting: `Refusal` in lock_object.h. */
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

/** How an acquisition ended, where that is not plainly well: `Acquired` in lock_object.h. */
export const enum Acquired {
  Yes = 0,
  Abandoned = 1,
  Timeout = 2,
  Gone = 3,
  Broken = 4,
  TooManyHeld = 5,
}

/** `Disposition` in lock_object.h. */
export const enum Disposition {
  Create = 0,
  Attach = 1,
  Open = 2,
}

/** The addon's functions. They return data and throw nothing; arguments are checked before. */
interface Native {
  segmentCreate(
    name: string,
    size: number,
    mode: number,
    sparse: boolean,
    /** Its first element becomes the segment's size. */
    sizeMade: Float64Array,
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

  /**
   * `control[0]` names the seat of the three hot calls below. A blocked call calls `nothing` now and
   * then: that it cannot any more tells it that the thread is being ended.
   */
  initialize(control: Int32Array, onGrant: (seat: number) => void, nothing: () => void): void;
  readonly lock: () => Acquired | undefined;
  readonly tryLock: () => Acquired | undefined;
  readonly unlock: () => void;

  lockWithin(seat: number, milliseconds: number): Acquired | undefined;
  lockOpen(
    name: string,
    mode: number,
    disposition: Disposition,
  ): number | NativeFailure | NativeRefusal;
  lockClose(seat: number): void;
  /** Which object it is, among all that ever bear its name. */
  lockId(seat: number): string;
  lockIsLocked(seat: number): boolean;
  lockUnlink(seat: number, held: boolean): NativeFailure | undefined;

  /** False where the system gives no thread. */
  agentRequest(seat: number): boolean;
  agentCancel(seat: number): void;
  agentCollect(seat: number): Acquired | undefined;
  agentCollectWithin(seat: number, milliseconds: number | undefined): Acquired;
  agentRelease(seat: number): void;

  readonly nameLimitBytes: number;
  readonly layout: Readonly<Record<string, number>>;
}

export const native = loadAddon(path.join(__dirname, '..')) as Native;
