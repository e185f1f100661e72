import { native, type SegmentHandle } from './binding';

/** The plain-data form of a shared object. */
interface Handle {
  readonly shmkit: string;
  readonly name: string;
}

/** Where the bytes of an ArrayBuffer are that users got of a shared object. */
export interface Place {
  readonly handle: Handle;
  /** The offset of the bytes in the object's data. */
  readonly at: number;
  /** The number of bytes of words that the object has. */
  readonly wordsBytes: number;
  /**
   * Whether a thread that attaches by the handle now finds these very bytes. The object may have lost its name, and
   * writes may have stayed private to this process.
   */
  isFoundBy(bytes: number): boolean;
}

/** A place in a segment that was mapped as such, and not as an object with a seat. */
export class PlaceInSegment implements Place {
  readonly handle: Handle;
  readonly at: number;
  readonly wordsBytes = 0;
  readonly #segment: SegmentHandle;
  readonly #name: string;
  readonly #dataAt: number;
  readonly #isPrivate: boolean;

  /**
   * @param name - the name by which the system knows it.
   * @param isPrivate - whether the writes of this process stay private.
   */
  constructor(
    handle: Handle,
    segment: SegmentHandle,
    name: string,
    dataAt: number,
    isPrivate: boolean,
    at = 0,
  ) {
    this.handle = handle;
    this.at = at;
    this.#segment = segment;
    this.#name = name;
    this.#dataAt = dataAt;
    this.#isPrivate = isPrivate;
  }

  isFoundBy(bytes: number): boolean {
    const segment = this.#segment;
    const from = this.#dataAt + this.at;
    if (this.#isPrivate && !native.segmentIsUnwritten(segment, from, bytes)) return false;
    return native.segmentIsNamed(segment, this.#name);
  }
}

const places = new WeakMap<ArrayBuffer, Place>();

/** Called for each ArrayBuffer over shared memory that users get. The place stays alive as long as the buffer. */
export function notePlace(buffer: ArrayBuffer, place: Place): void {
  places.set(buffer, place);
}

/** Undefined for an ArrayBuffer that is not shared memory, or that another copy of the library has made. */
export function placeOf(buffer: ArrayBuffer): Place | undefined {
  return places.get(buffer);
}
