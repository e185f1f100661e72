import { SharedMemoryError } from '../../common/errors';
import { called, type Kind } from '../core/names';
import { CorruptError, MismatchError } from '../../values/corrupt-error';
import { GoneError } from '../../values/out-of-band';

/** Identifies a value of a structure: the value of a key, the element at an index, or an item of a queue. */
export interface Whereabouts {
  readonly kind: Kind;
  readonly name: string;
  readonly key: string | number | undefined;
}

/**
 * The error for a value that exists but cannot be read: its bytes make no sense, at least to this version, or a
 * shared object in it cannot be attached to. The other values of the structure may still be readable.
 */
export class UnreadableError extends SharedMemoryError {}

/** Error codes for a resource that this process or the system lacks at the moment. */
const lacks = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EAGAIN']);

/** Whether the value itself is the reason that it cannot be read, so that there is no use in trying again. */
export function isOfValue(error: unknown): error is UnreadableError {
  return error instanceof UnreadableError && !lacks.has(error.code);
}

/** The error for a value that cannot be read. Returns errors with other reasons unchanged. */
export function unreadable(error: unknown, where: Whereabouts): unknown {
  const { name: resource, key } = where;
  const why = reason(error);
  if (why === undefined) return error;
  const details = key === undefined ? { resource } : { resource, key };
  const message = `${called(where.kind, resource)}: ${valueAt(where)} cannot be read: ${why.said}`;
  return new UnreadableError(why.code, message + wayOut(why.code, where), {
    ...details,
    cause: why.cause,
  });
}

/** The error for an entry of which not even the key makes sense. */
export function unreadableEntry(kind: Kind, name: string): UnreadableError {
  const message = `${called(kind, name)}: an entry in it is invalid; clear() empties it`;
  return new UnreadableError('ERR_CORRUPT', message, { resource: name });
}

/** Emits a warning about a value that was skipped, if there is no caller that could get an error. */
export function warnOf(error: UnreadableError): void {
  const { message, code } = error;
  process.emitWarning(`${message}; it was skipped`, { type: 'SharedMemoryWarning', code });
}

function reason(error: unknown): { code: string; said: string; cause: unknown } | undefined {
  if (error instanceof SharedMemoryError) {
    const said = `attaching to a shared object in it failed: ${error.message}`;
    return { code: error.code, said, cause: error };
  }
  if (error instanceof GoneError) return { code: 'ENOENT', said: error.message, cause: error };
  const isMismatch = error instanceof MismatchError;
  if (!isMismatch && !(error instanceof CorruptError)) return undefined;
  const said = error.message.replace(/^a value in it /, 'it ');
  return { code: isMismatch ? 'ERR_ABI_MISMATCH' : 'ERR_CORRUPT', said, cause: error.cause };
}

function valueAt({ kind, key }: Whereabouts): string {
  if (key === undefined) return kind === 'object' ? 'its value' : 'an item';
  return typeof key === 'number' ? `element ${key}` : `the value of ${JSON.stringify(key)}`;
}

/** The part of the message that says what to do about a value that cannot be read. */
function wayOut(code: string, { kind, key }: Whereabouts): string {
  if (code !== 'ENOENT' && code !== 'ERR_CORRUPT') return '';
  if (kind === 'namespace') return '; delete it or assign another value';
  if (key === undefined) return '';
  return typeof key === 'number'
    ? '; set() replaces it'
    : '; set() replaces it, delete() removes it';
}
