/**
 * Messages about a name that leads to nothing. Each kind has its own namespace, so there may be an object of
 * another kind by that name.
 */
import { native, type NativeFailure } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { explain, isFailure } from './failures';
import { aKind, called, classNames, kinds, managerOf, systemName, type Kind } from './names';
import { quoted } from '../../common/shown';

/** What the caller wanted to do with the object of a name. */
type Verb = 'attach' | 'unlink';

/** The error for a failure to find or open the object of a name. */
export function explainOpening(
  failure: NativeFailure,
  kind: Kind,
  name: string,
  verb: Verb = 'attach',
): SharedMemoryError {
  const why = failure.code === 'ENOENT' ? missing(kind, name, verb) : undefined;
  if (why === undefined) return explain(failure, kind, name);
  const { syscall, errno } = failure;
  const message = `there is no ${called(kind, name)}${why}`;
  return new SharedMemoryError('ENOENT', message, { syscall, errno, resource: name });
}

function missing(kind: Kind, name: string, verb: Verb): string | undefined {
  const others = kindsOf(name).filter((other) => other !== kind);
  if (others.length > 0) {
    const calls = others.flatMap((other) => classesOf(other).map((type) => call(type, verb, name)));
    const have = others.length === 1 ? 'has' : 'have';
    return `, but ${others.map(aKind).join(' and ')} ${have} that name: ${calls.join(' or ')}`;
  }
  const managed = managerOf(name);
  if (managed === undefined || kind === 'manager') return undefined;
  const { manager, own } = managed;
  if (!isThere('manager', manager)) {
    return `, and there is no ${called('manager', manager)} to create it`;
  }
  return `; its manager can create it: ${call('Manager', 'attach', manager)}.${kind}(${quoted(own)})`;
}

/** The kinds of which an object by that name exists. */
export function kindsOf(name: string): Kind[] {
  return kinds.filter((kind) => isThere(kind, name));
}

/** Returns code, for messages: the calls that attach to an object of a kind by name. */
export function attachingTo(kind: Kind, name: string): string {
  return classesOf(kind)
    .map((type) => call(type, 'attach', name))
    .join(' or ');
}

/** Returns the classes that can attach to an object of a kind. A `ShareableList` is stored in a plain segment. */
function classesOf(kind: Kind): string[] {
  return kind === 'memory' ? [classNames.memory, 'ShareableList'] : [classNames[kind]];
}

function call(type: string, verb: Verb, name: string): string {
  return `${type}.${verb}(${quoted(name)})`;
}

const size = new Float64Array(1);

function isThere(kind: Kind, name: string): boolean {
  let full: string;
  try {
    full = systemName(kind, name);
  } catch {
    return false; // it cannot be the name of an object of that kind
  }
  const found = native.segmentAttach(full, true, size);
  if (isFailure(found)) return found.code === 'EACCES' || found.code === 'EPERM';
  native.segmentClose(found, undefined);
  return true;
}
