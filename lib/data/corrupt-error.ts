/**
 * Shared bytes that make no sense, found by code that does not know whose they are: who does makes a
 * SharedMemoryError of it.
 */
export class CorruptError extends Error {}
