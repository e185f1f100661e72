import { NamedLock } from '../core/named-lock';
import { SharedMemory } from '../core/shared-memory';
import { SharedArray } from '../numbers/shared-array';
import { SharedDict } from '../dict/shared-dict';
import { SharedList } from '../list/shared-list';
import { SharedNamespace } from '../dict/shared-namespace';
import { SharedQueue } from '../queue/shared-queue';
import { SharedValue } from '../numbers/shared-value';
import { NamedBarrier } from '../sync/barrier';
import { NamedCondition } from '../sync/condition';
import { NamedEvent } from '../sync/event';
import { NamedRLock } from '../sync/rlock';
import { NamedRWLock } from '../sync/rw-lock';
import { NamedSemaphore } from '../sync/semaphore';

/** The class of a kind, as a manager uses it. */
export interface ManagedClass {
  open(name: string, options: never): { close(): void };
  attach(name: string): { close(): void };
  unlink(name: string): void;
}

/** The kinds that a manager makes. */
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
} as const satisfies Record<string, ManagedClass>;

export type ManagedKind = keyof typeof managedKinds;

/** What a manager makes of a kind. */
export type Managed<K extends ManagedKind> = ReturnType<(typeof managedKinds)[K]['attach']>;

export function classOf(kind: ManagedKind): ManagedClass {
  return managedKinds[kind];
}

/** What a manager notes of an object that it makes, so that it can be unlinked. */
export function noteOf(kind: ManagedKind, name: string): string {
  return `${kind} ${name}`;
}

/** What a note says, if it is one. */
export function parseNote(note: unknown): { kind: ManagedKind; name: string } | undefined {
  if (typeof note !== 'string') return undefined;
  const at = note.indexOf(' ');
  const kind = note.slice(0, at);
  if (!Object.hasOwn(managedKinds, kind)) return undefined;
  return { kind: kind as ManagedKind, name: note.slice(at + 1) };
}
