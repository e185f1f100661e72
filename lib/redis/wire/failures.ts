import { SharedMemoryError } from '../../common/errors';

/** The codes of errors that only this engine has. */
export type ServerErrorCode =
  /** The lease ended, or the server forgot it. */
  | 'ERR_LEASE_LOST'
  /** A change was sent and its answer was lost: it may have happened. */
  | 'ERR_UNCERTAIN'
  /** The server could not be reached, or did not serve, within the time. */
  | 'ERR_UNAVAILABLE'
  /** A later holder of the lock has already written. */
  | 'ERR_FENCED';

/** What a failed request means. */
export type Failure =
  /** It was not executed. It may be in a moment. */
  | { readonly is: 'refused'; readonly cause: Error }
  /** It may have been executed. */
  | { readonly is: 'lost'; readonly cause: Error }
  /** It was not executed, and will not be. */
  | { readonly is: 'failed'; readonly error: SharedMemoryError };

/** Answers of a server that will serve later: it starts, is a replica, elects, or runs another script. */
const passing = /^(LOADING|BUSY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|READONLY)\b/;

const noRights = /^(NOAUTH|NOPERM|WRONGPASS)\b|can't (run|access)|no permissions/i;

/** Converts an error that the server has answered. */
export function answeredFailure(cause: Error): Failure {
  const { message } = cause;
  if (passing.test(message)) return { is: 'refused', cause };
  const failed = (code: string, said: string): Failure => ({
    is: 'failed',
    error: new SharedMemoryError(code, `${said}: ${message}`, { cause }),
  });
  if (/^OOM\b/.test(message)) {
    return failed('ENOSPC', 'the server has reached its maxmemory; nothing was changed');
  }
  if (/^MISCONF\b/.test(message)) return failed('EIO', 'the server cannot save to its disk');
  if (noRights.test(message)) return failed('EACCES', 'the server denies access');
  if (/^WRONGTYPE\b/.test(message)) {
    return failed('ERR_CORRUPT', 'a key of the object has another type; unlink() removes it');
  }
  return failed('EIO', 'the server has answered with an error');
}

/** The error of a request that was not served within its time. */
export function unavailable(why: string, cause?: unknown): SharedMemoryError {
  return new SharedMemoryError('ERR_UNAVAILABLE', why, { cause });
}

/** Whether an error has a code, whatever copy of the library made it. */
export function isCoded(error: unknown, code: string): error is SharedMemoryError {
  return (error as { code?: unknown } | null | undefined)?.code === code;
}
