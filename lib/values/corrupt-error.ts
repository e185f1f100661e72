/**
 * Shared bytes that make no sense, found by code that does not know whose they are: who does makes a
 * SharedMemoryError of it.
 */
export class CorruptError extends Error {}

/**
 * Shared bytes that may well make sense, but not to this version or in this runtime. The same holds for it.
 */
export class MismatchError extends Error {}
