import { attachingTo, kindsOf } from './core/missing';
import { NamedLock, type NamedLockHandle } from './core/named-lock';
import { SharedMemory, type SharedMemoryHandle } from './core/shared-memory';
import { NamedObject } from './core/named-object';
import { keepValues } from './objects/kept';
import { tellClasses } from '../values/handles';
import { ShareableList, type ShareableListHandle } from './shareable-list/shareable-list';
import { SharedNamespace, type SharedNamespaceHandle } from './dict/shared-namespace';
import { SharedQueue, type SharedQueueHandle } from './queue/shared-queue';
import { SharedArray, type SharedArrayHandle } from './numbers/shared-array';
import { SharedDict, type SharedDictHandle } from './dict/shared-dict';
import { SharedList, type SharedListHandle } from './list/shared-list';
import { SharedValue, type SharedValueHandle } from './numbers/shared-value';
import { invalidType, outOfRange } from '../common/errors';
import { SharedObject, type SharedObjectHandle } from './objects/shared-object';
import { Manager, type ManagerHandle } from './manager/manager';
import { NamedBarrier, type NamedBarrierHandle } from './sync/barrier';
import { NamedCondition, type NamedConditionHandle } from './sync/condition';
import { NamedEvent, type NamedEventHandle } from './sync/event';
import { NamedRLock, type NamedRLockHandle } from './sync/rlock';
import { NamedRWLock, type NamedRWLockHandle } from './sync/rw-lock';
import { NamedSemaphore, type NamedSemaphoreHandle } from './sync/semaphore';

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

const attachers: { [K in keyof Kinds]: (handle: Kinds[K][0]) => Kinds[K][1] } = {
  memory: ({ name, readOnly }) => SharedMemory.attach(name, { readOnly: readOnly ?? false }),
  lock: ({ name }) => NamedLock.attach(name),
  rlock: ({ name }) => NamedRLock.attach(name),
  semaphore: ({ name }) => NamedSemaphore.attach(name),
  event: ({ name }) => NamedEvent.attach(name),
  condition: ({ name }) => NamedCondition.attach(name),
  barrier: ({ name }) => NamedBarrier.attach(name),
  rwlock: ({ name }) => NamedRWLock.attach(name),
  value: ({ name }) => SharedValue.attach(name),
  array: ({ name }) => SharedArray.attach(name),
  namespace: ({ name }) => SharedNamespace.attach(name),
  queue: ({ name }) => SharedQueue.attach(name),
  dict: ({ name }) => SharedDict.attach(name),
  list: ({ name }) => SharedList.attach(name),
  object: ({ name, handOver }) => SharedObject.attach(name, { handOver }),
  manager: ({ name }) => Manager.attach(name),
  'shareable-list': (handle) => ShareableList.fromHandle(handle),
};

keepValues();

tellClasses([NamedObject, SharedMemory, NamedLock, ShareableList, Manager], (handle) =>
  attach(handle as Handle),
);

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
  if (typeof kind !== 'string' || !Object.hasOwn(attachers, kind)) {
    const kinds = Object.keys(attachers).map((known) => `'${known}'`);
    throw outOfRange('handle.shmkit', `one of ${kinds.join(', ')}`, kind);
  }
  const { name } = given as { readonly name?: unknown };
  if (typeof name !== 'string') throw invalidType('handle.name', 'a string', name);
  // The type of the handle depends on its kind, which was checked above.
  const attacher = attachers[kind as keyof Kinds] as (handle: Handle) => unknown;
  return attacher(handle) as Attached<H>;
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
