/**
 * The stable codes of {@link SharedMemoryError}. Codes are part of the API. Messages are for people and may
 * change. docs/errors.md says of each code when it is thrown and what to do.
 */
export type ErrorCode =
  // Codes of the operating system
  | 'ENOENT'
  | 'EEXIST'
  | 'EACCES'
  | 'EPERM'
  | 'EBUSY'
  | 'EDQUOT'
  | 'EINTR'
  | 'EINVAL'
  | 'EIO'
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
  | 'ENOSYS'
  | 'ENOTDIR'
  | 'ENOTSUP'
  | 'EROFS'
  | 'EAGAIN'
  | 'EUNKNOWN'
  // Codes of this library
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

/** What an error contains besides its code and message. */
export interface ErrorDetails {
  /** The system call that failed. */
  readonly syscall?: string | undefined;
  /** The system's error number, negative as in Node's own errors. */
  readonly errno?: number | undefined;
  /** The name of the object concerned. */
  readonly resource?: string | undefined;
  /** Which value of the object: the key of an entry, or the index of an element. */
  readonly key?: string | number | undefined;
  readonly cause?: unknown;
}

/**
 * The error for everything that can go wrong in this library, except for wrong arguments. Those throw a
 * `TypeError` or `RangeError` with Node's own codes, `ERR_INVALID_ARG_TYPE` and `ERR_OUT_OF_RANGE`.
 */
export class SharedMemoryError extends Error {
  /** An {@link ErrorCode}, or another code of the operating system, such as `EMFILE`. */
  // The intersection keeps editor completion for the known codes, while any string is allowed.
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
  // An error from another realm has a class of its own.
  return isSharedMemoryError(error) && error.code === code;
}

/** A `TypeError` like the ones that Node's own functions throw for an argument of the wrong type. */
export function invalidType(what: string, expected: string, actual: unknown): TypeError {
  const message = `${what} must be ${expected}, not ${describe(actual)}`;
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** A `RangeError` like the ones that Node's own functions throw for an argument out of range. */
export function outOfRange(what: string, expected: string, actual: unknown): RangeError {
  const message = `${what} must be ${expected}, not ${describe(actual)}`;
  return Object.assign(new RangeError(message), { code: 'ERR_OUT_OF_RANGE' });
}

/** A `TypeError` like the ones that platform classes throw when a program calls their private constructor. */
export function illegalConstructor(type: string, methods: readonly string[]): TypeError {
  const calls = methods.map((method) => `${type}.${method}()`);
  const last = calls.pop();
  const message = `${type} has no public constructor: use ${calls.join(', ')} or ${last}`;
  return Object.assign(new TypeError(message), { code: 'ERR_ILLEGAL_CONSTRUCTOR' });
}

/** A `TypeError` for an unknown name of an option or a property. */
export function invalidName(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** The error for an assignment to a property that does not exist. */
export function unknownProperty(
  type: string,
  key: string | symbol,
  instead: string | undefined,
): TypeError {
  const what = typeof key === 'symbol' ? String(key) : `'${key}'`;
  const why = instead === undefined ? 'no other process would see it' : `use ${instead}`;
  return invalidName(`cannot assign to ${what}: ${type} has no such property; ${why}`);
}

/** The error for an assignment to a property that is read-only. */
export function readOnlyProperty(
  type: string,
  key: string,
  instead: string | undefined,
): TypeError {
  const way = instead === undefined ? '' : `; use ${instead}`;
  return invalidName(`cannot assign to '${key}': this property of ${type} is read-only${way}`);
}

/** Describes an object in words. */
function describeObject(value: object): string {
  try {
    return describeClass(value);
  } catch {
    return 'an object'; // A proxy that was revoked, or a getter that throws.
  }
}

function describeClass(value: object): string {
  if (Array.isArray(value)) return 'an array';
  if ('then' in value && typeof value.then === 'function') return 'a promise (await it first)';
  const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {};
  return `an object of type ${typeof name === 'string' && name !== '' ? name : 'Object'}`;
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)}`;
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'bigint':
      return `${value}n`;
    case 'object':
      return value === null ? 'null' : describeObject(value);
    default:
      return `a ${typeof value}`;
  }
}
