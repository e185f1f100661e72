import { attacherOf, handleKinds, type HandleKind } from './core/classes';
import { attachingTo, kindsOf } from './core/missing';
import type { NamedLock, NamedLockHandle } from './core/named-lock';
import type { SharedMemory, SharedMemoryHandle } from './core/shared-memory';
import type { ShareableList, ShareableListHandle } from './shareable-list/shareable-list';
import type { SharedNamespace, SharedNamespaceHandle } from './dict/shared-namespace';
import type { SharedQueue, SharedQueueHandle } from './queue/shared-queue';
import type { SharedArray, SharedArrayHandle } from './numbers/shared-array';
import type { SharedDict, SharedDictHandle } from './dict/shared-dict';
import type { SharedList, SharedListHandle } from './list/shared-list';
import type { SharedValue, SharedValueHandle } from './numbers/shared-value';
import { invalidType, outOfRange } from '../common/errors';
import { tellAttach, type AnyHandle } from '../common/handles';
import type { SharedObject, SharedObjectHandle } from './objects/shared-object';
import type { Manager, ManagerHandle } from './manager/manager';
import type { NamedBarrier, NamedBarrierHandle } from './sync/barrier';
import type { NamedCondition, NamedConditionHandle } from './sync/condition';
import type { NamedEvent, NamedEventHandle } from './sync/event';
import type { NamedRLock, NamedRLockHandle } from './sync/rlock';
import type { NamedRWLock, NamedRWLockHandle } from './sync/rw-lock';
import type { NamedSemaphore, NamedSemaphoreHandle } from './sync/semaphore';

/** For each kind, the type of its plain-data handles, and the class of the attached object. */
interface Kinds {
  memory: [SharedMemoryHandle, SharedMemory];
  lock: [NamedLockHandle, NamedLock];
  rlock: [NamedRLockHandle, NamedRLock];
  semaphore: [NamedSemaphoreHandle, NamedSemaphore];
  event: [NamedEventHandle, NamedEvent];
  condition: [NamedConditionHandle, NamedCondition];
  barrier: [NamedBarrierHandle, NamedBarrier];
  rwlock: [NamedRWLockHandle, NamedRWLock];
  value: [SharedValueHandle, SharedValue];
  array: [SharedArrayHandle, SharedArray];
  namespace: [SharedNamespaceHandle, SharedNamespace];
  queue: [SharedQueueHandle, SharedQueue];
  dict: [SharedDictHandle, SharedDict];
  list: [SharedListHandle, SharedList];
  object: [SharedObjectHandle, SharedObject];
  manager: [ManagerHandle, Manager];
  'shareable-list': [ShareableListHandle, ShareableList];
}

/** The plain-data form of a shared object: what its `toJSON()` returns. */
export type Handle = Kinds[keyof Kinds][0];

/** The type of the plain-data handle, also when the type of the object itself is given. */
type HandleOf<H> = H extends { toJSON(): infer T } ? T : H;

type AttachedTo<H> =
  H extends SharedDictHandle<infer V>
    ? SharedDict<V>
    : H extends SharedListHandle<infer V>
      ? SharedList<V>
      : H extends SharedQueueHandle<infer V>
        ? SharedQueue<V>
        : H extends SharedNamespaceHandle<infer T>
          ? SharedNamespace<T>
          : H extends SharedValueHandle<infer T>
            ? SharedValue<T>
            : H extends SharedArrayHandle<infer T>
              ? SharedArray<T>
              : H extends SharedObjectHandle<infer T>
                ? SharedObject<T>
                : H extends Handle
                  ? Kinds[H['shmkit']][1]
                  : never;

/**
 * The class of the object that a handle stands for, with the handle's type of the contents: a
 * `SharedDict<number>` for a `SharedDictHandle<number>`.
 */
export type Attached<H extends Handle> = AttachedTo<HandleOf<H>>;

/**
 * Attaches to the object that a handle stands for. It does not matter how this process got the handle: by
 * `process.send`, a worker's `workerData`, the environment, or a file.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE` the argument is not a handle; and what the `attach` method of the
 * class throws.
 */
export function attach<H extends Handle>(handle: H): Attached<H> {
  const given: unknown = handle;
  if (typeof given !== 'object' || given === null || !('shmkit' in given)) {
    throw invalidType('handle', expected(given), given);
  }
  const kind: unknown = given.shmkit;
  if (!isKind(kind)) {
    const kinds = handleKinds.map((known) => `'${known}'`);
    throw outOfRange('handle.shmkit', `one of ${kinds.join(', ')}`, kind);
  }
  const { name } = given as { readonly name?: unknown };
  if (typeof name !== 'string') throw invalidType('handle.name', 'a string', name);
  return attacherOf(kind)(handle) as Attached<H>;
}

function isKind(kind: unknown): kind is HandleKind {
  return (handleKinds as readonly unknown[]).includes(kind);
}

/** The part of the message that says what a handle is, and what to use instead of the given argument. */
function expected(given: unknown): string {
  const handle =
    "the result of a shared object's toJSON(), such as { shmkit: 'dict', name: 'cache' }";
  if (typeof given !== 'string') return handle;
  if (given.trimStart().startsWith('{')) return `${handle} (parse JSON text first)`;
  const found = kindsOf(given);
  const calls = found.map((kind) => attachingTo(kind, given)).join(' or ');
  return calls === '' ? handle : `${handle} (to attach by name, use ${calls})`;
}

tellAttach((handle: AnyHandle) => attach(handle as Handle));
