import { SharedMemoryError } from '../../common/errors';
import { called, type Kind } from '../core/names';
import { CorruptError, MismatchError } from '../../values/corrupt-error';

/** Which value of which structure: that of a key, the element at an index, or else an item. */
export interface Whereabouts {
  readonly kind: Kind;
  readonly name: string;
  readonly key: string | number | undefined;
}

/**
 * A value that is there and cannot be read: its bytes make no sense, at least to this version, or a shared
 * object in it cannot be attached to. All else that the structure has may well be read.
 */
export class UnreadableError extends SharedMemoryError {}

/** Codes that say what this process, or the system, has too little of now. */
const lacks = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EAGAIN']);

/** Whether it is for the sake of the value that it cannot be read, so that it is of no use to try again. */
export function isOfValue(error: unknown): error is UnreadableError {
  return error instanceof UnreadableError && !lacks.has(error.code);
}

/** What people are told of a value that cannot be read; any other error as it is. */
export function unreadable(error: unknown, where: Whereabouts): unknown {
  const { name: resource, key } = where;
  const why = reason(error);
  if (why === undefined) return error;
  const details = key === undefined ? { resource } : { resource, key };
  const message = `${called(where.kind, resource)}: ${valueAt(key)} cannot be read: ${why.said}`;
  return new UnreadableError(why.code, message + wayOut(why.code, where), {
    ...details,
    cause: why.cause,
  });
}

/** What is said of an entry of which not even the key makes sense. */
export function unreadableEntry(kind: Kind, name: string): UnreadableError {
  const message = `${called(kind, name)}: an entry of it makes no sense; clear() empties it`;
  return new UnreadableError('ERR_CORRUPT', message, { resource: name });
}

/** Tells of a value that was passed over, where nobody else is there to be told. */
export function warnOf(error: UnreadableError): void {
  const { message, code } = error;
  process.emitWarning(`${message}; it was passed over`, { type: 'SharedMemoryWarning', code });
}

function reason(error: unknown): { code: string; said: string; cause: unknown } | undefined {
  if (error instanceof SharedMemoryError) {
    const said = `a shared object in it cannot be attached to: ${error.message}`;
    return { code: error.code, said, cause: error };
  }
  const isMismatch = error instanceof MismatchError;
  if (!isMismatch && !(error instanceof CorruptError)) return undefined;
  const said = error.message.replace(/^a value of it /, 'it ');
  return { code: isMismatch ? 'ERR_ABI_MISMATCH' : 'ERR_CORRUPT', said, cause: error.cause };
}

function valueAt(key: string | number | undefined): string {
  if (key === undefined) return 'an item';
  return typeof key === 'number' ? `element ${key}` : `the value of ${JSON.stringify(key)}`;
}

/** What to do about a value that nobody can read. */
function wayOut(code: string, { kind, key }: Whereabouts): string {
  if (code !== 'ENOENT' && code !== 'ERR_CORRUPT') return '';
  if (kind === 'namespace') return '; delete it or assign another';
  if (key === undefined) return '';
  return typeof key === 'number'
    ? '; set() replaces it'
    : '; set() replaces it, delete() removes it';
}
