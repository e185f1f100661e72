import { classOf as sharedClass, type OpenedClass, type SharedClass } from '../core/classes';
import { kinds } from '../core/names';
import type { NamedLock } from '../core/named-lock';
import type { SharedMemory } from '../core/shared-memory';
import type { SharedArray } from '../numbers/shared-array';
import type { SharedDict } from '../dict/shared-dict';
import type { SharedList } from '../list/shared-list';
import type { SharedNamespace } from '../dict/shared-namespace';
import type { SharedObject } from '../objects/shared-object';
import type { SharedQueue } from '../queue/shared-queue';
import type { SharedValue } from '../numbers/shared-value';
import type { NamedBarrier } from '../sync/barrier';
import type { NamedCondition } from '../sync/condition';
import type { NamedEvent } from '../sync/event';
import type { NamedRLock } from '../sync/rlock';
import type { NamedRWLock } from '../sync/rw-lock';
import type { NamedSemaphore } from '../sync/semaphore';

/** The classes of the objects that a manager can make. */
interface ManagedClasses {
  memory: typeof SharedMemory;
  lock: typeof NamedLock;
  rlock: typeof NamedRLock;
  semaphore: typeof NamedSemaphore;
  event: typeof NamedEvent;
  condition: typeof NamedCondition;
  barrier: typeof NamedBarrier;
  rwlock: typeof NamedRWLock;
  value: typeof SharedValue;
  array: typeof SharedArray;
  dict: typeof SharedDict;
  list: typeof SharedList;
  queue: typeof SharedQueue;
  namespace: typeof SharedNamespace;
  object: typeof SharedObject;
}

/** The kinds of these objects. */
export type ManagedKind = keyof ManagedClasses;

/** The kinds of objects that a manager opens by name: whoever comes first makes the object. */
export type OpenedKind = Exclude<ManagedKind, 'object'>;

export const managedKinds = kinds.filter((kind) => kind !== 'manager');

/** The type of a kind's objects. */
export type Managed<K extends ManagedKind> = ReturnType<ManagedClasses[K]['attach']>;

export function classOf(kind: 'object'): typeof SharedObject;
export function classOf(kind: OpenedKind): OpenedClass;
export function classOf(kind: ManagedKind): SharedClass;
export function classOf(kind: ManagedKind): SharedClass {
  return sharedClass(kind);
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
  if (!isManagedKind(kind)) return undefined;
  return { kind, name: note.slice(at + 1) };
}

function isManagedKind(kind: string): kind is ManagedKind {
  return (managedKinds as readonly string[]).includes(kind);
}
