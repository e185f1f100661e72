/** Where the bytes of an ArrayBuffer are that users got of a shared object. */
export interface Place {
  /** The plain-data form of the shared object. */
  readonly handle: { readonly shmkit: string; readonly name: string };
  /** The offset of the bytes in the object's data. */
  readonly at: number;
  /**
   * Whether a thread that attaches by the handle now finds these very bytes. The object may have lost its name, and
   * writes may have stayed private to this process.
   */
  isFoundBy(bytes: number): boolean;
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
