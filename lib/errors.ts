/**
 * The stable codes of {@link SharedMemoryError}. Codes are promises; messages are prose and may
 * change. docs/errors.md says of each when it is thrown and what to do.
 */
export type ErrorCode =
  // The operating system's own
  | 'ENOENT'
  | 'EEXIST'
  | 'EACCES'
  | 'EPERM'
  | 'EBUSY'
  | 'EINVAL'
  | 'EISDIR'
  | 'ELOOP'
  | 'ENODEV'
  | 'ENXIO'
  | 'ENAMETOOLONG'
  | 'ENOSPC'
  | 'EFBIG'
  | 'EOVERFLOW'
  | 'ENOMEM'
  | 'EMFILE'
  | 'ENFILE'
  | 'ENOTSUP'
  | 'EAGAIN'
  // The library's
  | 'ERR_ABI_MISMATCH'
  | 'ERR_BROKEN_BARRIER'
  | 'ERR_CAPACITY'
  | 'ERR_CLOSED'
  | 'ERR_CORRUPT'
  | 'ERR_DEADLOCK'
  | 'ERR_NO_ADDON'
  | 'ERR_NOT_HELD'
  | 'ERR_SHUTDOWN'
  | 'ERR_TIMEOUT'
  | 'ERR_WRONG_KIND'
  | 'ERR_ZERO_COPY_UNAVAILABLE';

/** What an error knows beside its code and message. */
export interface ErrorDetails {
  /** The system call that failed. */
  readonly syscall?: string;
  /** The system's error number, negative as in Node's own errors. */
  readonly errno?: number;
  /** The name of the object concerned. */
  readonly resource?: string;
  /** Which of its values: the key of an entry, or the index of an element. */
  readonly key?: string | number;
  readonly cause?: unknown;
}

/**
 * Everything that goes wrong here, but for misuse of a signature: that is a `TypeError` or
 * `RangeError` with Node's own codes, `ERR_INVALID_ARG_TYPE` and `ERR_OUT_OF_RANGE`.
 */
export class SharedMemoryError extends Error {
  /** An {@link ErrorCode}, or another code of the operating system's, such as `EMFILE`. */
  // The intersection keeps completion of the known codes while any string is allowed.
  readonly code: ErrorCode | (string & {});
  declare readonly syscall?: string;
  declare readonly errno?: number;
  declare readonly resource?: string;
  /** Which value cannot be read: the key of an entry, or the index of an element. */
  declare readonly key?: string | number;

  constructor(code: ErrorCode | (string & {}), message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.errno !== undefined) this.errno = details.errno;
    if (details.resource !== undefined) this.resource = details.resource;
    if (details.key !== undefined) this.key = details.key;
  }
}

Object.defineProperty(SharedMemoryError.prototype, 'name', { value: 'SharedMemoryError' });

function isSharedMemoryError(error: unknown): error is SharedMemoryError {
  if (error instanceof SharedMemoryError) return true;
  const named = error as { name?: unknown } | null | undefined;
  return typeof error === 'object' && named?.name === 'SharedMemoryError';
}

export function hasCode(error: unknown, code: ErrorCode): error is SharedMemoryError {
  // What another realm threw is of a class of its own.
  return isSharedMemoryError(error) && error.code === code;
}

/** A `TypeError` as Node's own functions throw it for an argument of the wrong type. */
export function invalidType(what: string, expected: string, actual: unknown): TypeError {
  const message = `${what} must be ${expected}, not ${describe(actual)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A `RangeError` as Node's own functions throw it for an argument out of range. */
export function outOfRange(what: string, expected: string, actual: unknown): RangeError {
  const message = `${what} must be ${expected}, not ${describe(actual)}`;
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'object') {
    return `an object of type ${(value as { constructor?: { name?: string } }).constructor?.name ?? 'Object'}`;
  }
  return `a ${typeof value}`;
}
