import { NamedLock } from '../core/named-lock';
import { SharedMemory } from '../core/shared-memory';
import { SharedArray } from '../numbers/shared-array';
import { SharedDict } from '../dict/shared-dict';
import { SharedList } from '../list/shared-list';
import { SharedNamespace } from '../dict/shared-namespace';
import { SharedObject } from '../objects/shared-object';
import { SharedQueue } from '../queue/shared-queue';
import { SharedValue } from '../numbers/shared-value';
import { NamedBarrier } from '../sync/barrier';
import { NamedCondition } from '../sync/condition';
import { NamedEvent } from '../sync/event';
import { NamedRLock } from '../sync/rlock';
import { NamedRWLock } from '../sync/rw-lock';
import { NamedSemaphore } from '../sync/semaphore';

/** The part of a kind's class that a manager uses. */
export interface ManagedClass {
  attach(name: string): { close(): void };
  unlink(name: string): void;
}

/** The kinds of objects that a manager can make. */
export const managedKinds = {
  memory: SharedMemory,
  lock: NamedLock,
  rlock: NamedRLock,
  semaphore: NamedSemaphore,
  event: NamedEvent,
  condition: NamedCondition,
  barrier: NamedBarrier,
  rwlock: NamedRWLock,
  value: SharedValue,
  array: SharedArray,
  dict: SharedDict,
  list: SharedList,
  queue: SharedQueue,
  namespace: SharedNamespace,
  object: SharedObject,
} as const satisfies Record<string, ManagedClass>;

export type ManagedKind = keyof typeof managedKinds;

/** The kinds of objects that a manager opens by name: whoever comes first makes the object. */
export type OpenedKind = Exclude<ManagedKind, 'object'>;

/** The part of the class of such a kind that a manager uses. */
export interface OpenedClass extends ManagedClass {
  open(name: string, options: never): { close(): void };
}

/** The type of a kind's objects. */
export type Managed<K extends ManagedKind> = ReturnType<(typeof managedKinds)[K]['attach']>;

export function classOf(kind: OpenedKind): OpenedClass;
export function classOf(kind: ManagedKind): ManagedClass;
export function classOf(kind: ManagedKind): ManagedClass {
  return managedKinds[kind];
}

/**
 * Returns the note that a manager keeps of an object that it makes: a text with the kind and the name, by
 * which the object can be unlinked later.
 */
export function noteOf(kind: ManagedKind, name: string): string {
  return `${kind} ${name}`;
}

/** Reads a note. Returns undefined if it is not valid. */
export function parseNote(note: unknown): { kind: ManagedKind; name: string } | undefined {
  if (typeof note !== 'string') return undefined;
  const at = note.indexOf(' ');
  const kind = note.slice(0, at);
  if (!Object.hasOwn(managedKinds, kind)) return undefined;
  return { kind: kind as ManagedKind, name: note.slice(at + 1) };
}
