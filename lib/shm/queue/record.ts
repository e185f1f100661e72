// The form of the records in a queue's ring.

/**
 * The words of a record, before its value. If `units` is 0, there is no record at this place, but a mark: the
 * next record is at the beginning of the memory.
 */
export const record = { units: 0, size: 1, number: 2, state: 3 } as const;

/** The units of 8 bytes that these words take. */
export const recordUnits = 2;

/** The units of 8 bytes that a record takes whose value has the given size in bytes. */
export function unitsOf(size: number): number {
  return recordUnits + Math.ceil(size / 8);
}

/**
 * The last word of a record: how its value is stored, in 4 bits; whether it was offered before; and its
 * owner, as the place of an entry of the roster (the table of the threads that take part), or `nobody` or
 * `done`.
 */
export const offeredBefore = 16;
const ownerShift = 5;

/** Values that stand for no owner. No entry of the roster has such a place. */
export const nobody = 0;
export const done = 1;

export function ownerOf(state: number): number {
  return state >>> ownerShift;
}

export function withOwner(state: number, owner: number): number {
  return (state & ((1 << ownerShift) - 1)) | (owner << ownerShift);
}
