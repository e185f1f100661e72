import { native } from './binding';
import { SharedMemoryError, invalidType } from '../../common/errors';
import { quoted } from '../../common/shown';

/**
 * Each kind of object has a namespace of its own: a prefix of the name that the system sees. Plain segments
 * have no prefix, because Python attaches to them by exactly the same name.
 */
const prefixes = {
  memory: '',
  lock: 'shmkit.lock.',
  rlock: 'shmkit.rlock.',
  semaphore: 'shmkit.semaphore.',
  event: 'shmkit.event.',
  condition: 'shmkit.condition.',
  barrier: 'shmkit.barrier.',
  rwlock: 'shmkit.rwlock.',
  value: 'shmkit.value.',
  array: 'shmkit.array.',
  dict: 'shmkit.dict.',
  list: 'shmkit.list.',
  queue: 'shmkit.queue.',
  namespace: 'shmkit.namespace.',
  manager: 'shmkit.manager.',
  object: 'shmkit.object.',
} as const;

/** The kinds of objects. */
export type Kind = keyof typeof prefixes;

/** All prefixes begin with this. The name of a plain segment must not. */
const reserved = 'shmkit.';

const loneSurrogate = /\p{Surrogate}/u;

const words: Record<Kind, string> = {
  memory: 'segment',
  lock: 'lock',
  rlock: 'reentrant lock',
  semaphore: 'semaphore',
  event: 'event',
  condition: 'condition',
  barrier: 'barrier',
  rwlock: 'read-write lock',
  value: 'value',
  array: 'array',
  dict: 'dict',
  list: 'list',
  queue: 'queue',
  namespace: 'namespace',
  manager: 'manager',
  object: 'shared object',
};

/** The classes of the objects, except for lists in Python's format, which are segments. */
export const classNames: Readonly<Record<Kind, string>> = {
  memory: 'SharedMemory',
  lock: 'NamedLock',
  rlock: 'NamedRLock',
  semaphore: 'NamedSemaphore',
  event: 'NamedEvent',
  condition: 'NamedCondition',
  barrier: 'NamedBarrier',
  rwlock: 'NamedRWLock',
  value: 'SharedValue',
  array: 'SharedArray',
  dict: 'SharedDict',
  list: 'SharedList',
  queue: 'SharedQueue',
  namespace: 'SharedNamespace',
  manager: 'Manager',
  object: 'SharedObject',
};

export const kinds = Object.keys(prefixes) as readonly Kind[];

/** How messages refer to an object: `segment 'frames'`. */
export function called(kind: Kind, name: string): string {
  return `${words[kind]} '${name}'`;
}

/** An object of that kind, as messages say it: `a lock`. */
export function aKind(kind: Kind): string {
  return `${/^[aeiou]/.test(words[kind]) ? 'an' : 'a'} ${words[kind]}`;
}

/**
 * The maximum length of an object's name with its prefix, on systems that allow only very short names (macOS: 30
 * bytes). If the name is too long for such a system, the system gets a digest of it. The name of a plain segment
 * is never replaced by a digest.
 */
const digestedBytes = 255;
/** A system that allows fewer bytes than this is one that allows only very short names. */
const tooFewBytes = 64;

/**
 * The name of an object that a manager makes: the manager's name, and the object's own name after it. A plain
 * name contains no `/`, so it is never the name of a manager's object.
 */
export function managedName(manager: string, own: string): string {
  return `/${manager}/${own}`;
}

/**
 * The manager of an object and the object's own name, from the full name. Undefined if it is not the name of
 * a manager's object.
 */
export function managerOf(name: string): { manager: string; own: string } | undefined {
  const [, manager, own] = /^\/([^/]+)\/([^/]+)$/.exec(name) ?? [];
  return manager === undefined || own === undefined ? undefined : { manager, own };
}

/** Whether it is the name of an object that a manager made. */
export function isManaged(name: string): boolean {
  return name.startsWith('/');
}

/** The beginning of the name of an object that is a file in a certain directory. */
const inDirectory = 'file:';

/** The name of an object that is a file in that directory. A plain name contains no `/`. */
export function spilledName(directory: string, own: string): string {
  return `${inDirectory}${directory}/${own}`;
}

export const isSpilled = (name: string): boolean => name.startsWith(inDirectory);

/** The directory of an object that is a file in a certain one, and the object's own name. */
function placeOf(kind: Kind, name: string): { directory: string; own: string } | undefined {
  if (kind !== 'object' || native.place === undefined) return undefined;
  const [, directory, own] = /^file:(\/.*|)\/([^/]+)$/s.exec(name) ?? [];
  return directory === undefined || own === undefined ? undefined : { directory, own };
}

let isManaging = false;

/** Runs a function that makes a manager's object. Only managers may use such a name. */
export function asManager<T>(make: () => T): T {
  isManaging = true;
  try {
    return make();
  } finally {
    isManaging = false;
  }
}

/** Throws if only a manager may make an object of that name. */
export function checkMayBeMade(kind: Kind, name: string): void {
  if (isManaging || !isManaged(name)) return;
  throw new SharedMemoryError(
    'EINVAL',
    `${JSON.stringify(name)} cannot be the name of a new ${words[kind]}: it contains '/'; ` +
      'only the methods of a manager create objects with such names',
    { resource: name },
  );
}

/** The name by which the system knows an object. Throws if it cannot be a name. */
export function systemName(kind: Kind, name: unknown): string {
  checkName(kind, name);
  return checkedSystemName(kind, name);
}

/** Returns the same as {@link systemName}, without checking the name: it was checked before. */
export function checkedSystemName(kind: Kind, name: string): string {
  const full = fullName(kind, name);
  const most = native.nameLimitBytes;
  if (most >= tooFewBytes || Buffer.byteLength(full) <= most) return full;
  // Loaded only where it is needed, which most systems are not: loading takes 5 ms.
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const digest = createHash('sha256').update(full).digest('hex');
  return reserved + digest.slice(0, most - reserved.length);
}

function fullName(kind: Kind, name: string): string {
  if (isSpilled(name)) {
    const place = placeOf(kind, name);
    if (place !== undefined) return `${place.directory}/${prefixes[kind]}${place.own}`;
  }
  const parts = isManaged(name) ? managerOf(name) : undefined;
  return parts === undefined ? prefixes[kind] + name : managedHead(kind, parts.manager) + parts.own;
}

/**
 * The prefix of the system names of all objects of one kind that a manager makes. No other system name begins
 * with it: no dot follows the kind, and characters that could end the manager's name are escaped.
 */
export function managedHead(kind: Kind, manager: string): string {
  return `${reserved}${kind}@${encodeManager(manager)}@`;
}

function encodeManager(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('@', '%40');
}

function decodeManager(name: string): string {
  return name.replaceAll('%40', '@').replaceAll('%25', '%');
}

/** The system names of all objects in a directory begin with this. */
export const prefixOf = (kind: Kind): string => prefixes[kind];

/** The kind and the name of an object, from its system name. */
export function parseSystemName(full: string): { kind: Kind; name: string } {
  const [, kind = '', manager, own] = /^shmkit\.(\w+)@([^@]+)@(.+)$/s.exec(full) ?? [];
  if (Object.hasOwn(prefixes, kind) && manager !== undefined && own !== undefined) {
    return { kind: kind as Kind, name: managedName(decodeManager(manager), own) };
  }
  for (const kind of kinds) {
    const prefix = prefixes[kind];
    if (prefix !== '' && full.startsWith(prefix)) return { kind, name: full.slice(prefix.length) };
  }
  return { kind: 'memory', name: full };
}

/** A new unique name: 64 random bits. */
export function freshName(): string {
  return `shm_${randomDigits()}`;
}

/** 64 random bits as 16 hexadecimal digits. */
export function randomDigits(): string {
  return native.randomBits().toString(16).padStart(16, '0');
}

function checkName(kind: Kind, name: unknown): asserts name is string {
  if (typeof name !== 'string') throw noName(name);
  const refuse = (code: 'EINVAL' | 'ENAMETOOLONG', why: string): never => {
    throw new SharedMemoryError(
      code,
      `${JSON.stringify(name)} cannot be the name of ${aKind(kind)}: ${why}`,
      {
        resource: name,
      },
    );
  };
  if (name === '') refuse('EINVAL', 'it is empty');
  if (name === '.' || name === '..') refuse('EINVAL', 'it is the name of a directory');
  const managed = isManaged(name) && kind !== 'manager' ? managerOf(name) : undefined;
  const place = isSpilled(name) ? placeOf(kind, name) : undefined;
  if (managed === undefined && place === undefined && name.includes('/')) {
    refuse('EINVAL', slash(kind, name));
  }
  if (name.includes('\0')) refuse('EINVAL', 'it contains a NUL character');
  if (process.platform === 'win32' && name.includes('\\')) refuse('EINVAL', "it contains '\\'");
  // A lone surrogate has no UTF-8 form. Encoders would turn many different names into one.
  if (loneSurrogate.test(name)) refuse('EINVAL', 'it contains a lone surrogate');
  if (kind === 'memory' && name.startsWith(reserved)) {
    refuse('EINVAL', `names that begin with '${reserved}' are reserved for this library`);
  }
  const isPlain = kind === 'memory' && managed === undefined;
  const isDigested = !isPlain && native.nameLimitBytes < tooFewBytes;
  const most = isDigested ? digestedBytes : native.nameLimitBytes;
  const own = place?.own ?? name;
  const around = Buffer.byteLength(fullName(kind, own)) - Buffer.byteLength(own);
  const limit = most - around;
  const length = Buffer.byteLength(own);
  if (length > limit) {
    refuse('ENAMETOOLONG', `it has ${length} bytes in UTF-8, and the maximum is ${limit}`);
  }
}

/** The error for a name that is not a string. */
export function noName(given: unknown): TypeError {
  const isObject = typeof given === 'object' && given !== null;
  const why = isObject ? 'a string, before any options' : 'a string';
  return invalidType('name', why, given);
}

/** Says why a name with a `/` is refused, and what the caller probably meant. */
function slash(kind: Kind, name: string): string {
  const why = "it contains '/'";
  if (kind !== 'manager' && managerOf(`/${name}`) !== undefined) {
    return `${why}; use '.', '-' or '_' to separate words, or '/${name}' for an object of a manager`;
  }
  if (/^\/[^/]+$/.test(name)) return `${why}; leave it out: ${quoted(name.slice(1))}`;
  return `${why}; use '.', '-' or '_' to separate words`;
}
