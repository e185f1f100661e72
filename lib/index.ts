export { attach, type Attached, type Handle } from './attach';
export type { Lock } from './core/lock';
export type { LockGuard } from './core/lock-guard';
export {
  NamedLock,
  type NamedLockCreateOptions,
  type NamedLockHandle,
  type NamedLockOptions,
} from './core/named-lock';
export {
  SharedMemory,
  type SharedMemoryAttachOptions,
  type SharedMemoryCreateOptions,
  type SharedMemoryHandle,
  type SharedMemoryOpenOptions,
  type SharedObjectInfo,
} from './core/shared-memory';
export {
  ShareableList,
  type ShareableListAttachOptions,
  type ShareableListCreateOptions,
  type ShareableListHandle,
  type ShareableListOpenOptions,
  type ShareableValue,
} from './data/shareable-list';
export {
  SharedArray,
  type SharedArrayAttachOptions,
  type SharedArrayCreateOptions,
  type SharedArrayHandle,
  type SharedArrayOptions,
} from './data/shared-array';
export {
  SharedNamespace,
  type SharedNamespaceCreateOptions,
  type SharedNamespaceHandle,
  type SharedNamespaceOptions,
} from './data/shared-namespace';
export type { QueueItem } from './data/queue-item';
export {
  SharedQueue,
  type SharedQueueCreateOptions,
  type SharedQueueHandle,
  type SharedQueueOptions,
} from './data/shared-queue';
export {
  SharedDict,
  type GetOrSetOptions,
  type GetOrSetSyncOptions,
  type SharedDictCreateOptions,
  type SharedDictHandle,
  type SharedDictOptions,
  type TtlOptions,
} from './data/shared-dict';
export {
  SharedList,
  type SharedListCreateOptions,
  type SharedListHandle,
  type SharedListOptions,
} from './data/shared-list';
export {
  SharedValue,
  type SharedValueAttachOptions,
  type SharedValueCreateOptions,
  type SharedValueHandle,
  type SharedValueOptions,
} from './data/shared-value';
export type { StructureCreateOptions, StructureOptions } from './data/structure';
export type { ElementOf, ElementType, TypedArrays } from './element-types';
export { SharedMemoryError, type ErrorCode, type ErrorDetails } from './errors';
export { Manager, type ManagerCreateOptions, type ManagerHandle } from './manager/manager';
export type { Kind } from './names';
export type { TimeoutOptions, WaitOptions } from './options';
export {
  NamedBarrier,
  type NamedBarrierCreateOptions,
  type NamedBarrierHandle,
  type NamedBarrierHandleOptions,
  type NamedBarrierOptions,
} from './sync/barrier';
export {
  NamedCondition,
  type NamedConditionCreateOptions,
  type NamedConditionHandle,
  type NamedConditionOptions,
} from './sync/condition';
export {
  NamedEvent,
  type NamedEventCreateOptions,
  type NamedEventHandle,
  type NamedEventOptions,
} from './sync/event';
export {
  NamedRLock,
  type NamedRLockCreateOptions,
  type NamedRLockHandle,
  type NamedRLockOptions,
} from './sync/rlock';
export type { RLockGuard } from './sync/rlock-guard';
export {
  NamedRWLock,
  type NamedRWLockCreateOptions,
  type NamedRWLockHandle,
  type NamedRWLockOptions,
} from './sync/rw-lock';
export type { RWLockGuard } from './sync/rw-lock-guard';
export {
  NamedSemaphore,
  type NamedSemaphoreCreateOptions,
  type NamedSemaphoreHandle,
  type NamedSemaphoreOptions,
} from './sync/semaphore';
export type { SemaphoreGuard } from './sync/semaphore-guard';
