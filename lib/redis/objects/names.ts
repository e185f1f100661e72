import { SharedMemoryError, invalidType } from '../../common/errors';

/** The kinds of objects, as plain data name them, and as messages call them. */
const words = {
  lock: 'lock',
  rlock: 'reentrant lock',
  rwlock: 'read-write lock',
  semaphore: 'semaphore',
  event: 'event',
  condition: 'condition',
  barrier: 'barrier',
  value: 'value',
  array: 'array',
  dict: 'dict',
  list: 'list',
  queue: 'queue',
  namespace: 'namespace',
  manager: 'manager',
} as const;

export type Kind = keyof typeof words;

/** How messages refer to an object: `lock 'orders'`. */
export const called = (kind: Kind, name: string): string => `${words[kind]} '${name}'`;

const loneSurrogate = /\p{Surrogate}/u;
const mostBytes = 255;

/** Throws unless it can be the name of an object. A manager's object is called `/manager/own`. */
export function checkName(kind: Kind, name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    const isObject = typeof name === 'object' && name !== null;
    throw invalidType('name', isObject ? 'a string, before any options' : 'a string', name);
  }
  const refuse = (code: 'EINVAL' | 'ENAMETOOLONG', why: string): never => {
    const what = `${JSON.stringify(name)} cannot be the name of a ${words[kind]}: ${why}`;
    throw new SharedMemoryError(code, what, { resource: name });
  };
  if (name === '') refuse('EINVAL', 'it is empty');
  if (name === '.' || name === '..') refuse('EINVAL', 'it is the name of a directory');
  if (name.includes('\0')) refuse('EINVAL', 'it contains a NUL character');
  if (name.includes('/') && !(kind !== 'manager' && /^\/[^/]+\/[^/]+$/.test(name))) {
    refuse('EINVAL', "it contains '/'");
  }
  if (loneSurrogate.test(name)) refuse('EINVAL', 'it contains a lone surrogate');
  const bytes = Buffer.byteLength(name);
  if (bytes > mostBytes) {
    refuse('ENAMETOOLONG', `it has ${bytes} bytes in UTF-8, and the maximum is ${mostBytes}`);
  }
}

/**
 * What all keys of an object begin with: a hash tag, so that a cluster has all of them in one slot. Braces in a name
 * would move the slot.
 */
export function baseOf(kind: Kind, name: string): string {
  const escaped = name.replaceAll('%', '%25').replaceAll('{', '%7B').replaceAll('}', '%7D');
  return `{shm:${kind}:${escaped}}`;
}
