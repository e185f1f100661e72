/**
 * Thrown for shared bytes that make no sense, by code that does not know which object they belong to. Code
 * that knows it turns this error into a SharedMemoryError.
 */
export class CorruptError extends Error {}

/**
 * Thrown for shared bytes that may be valid, but not for this version or in this runtime. It is turned into a
 * SharedMemoryError in the same way.
 */
export class MismatchError extends Error {}
