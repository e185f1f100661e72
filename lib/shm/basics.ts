// Segments, numbers, locks and all of Python's synchronisation: the part that most programs need. See parts.ts.
export type { Lock } from './core/lock';
export type { LockGuard } from './core/lock-guard';
export {
  NamedLock,
  type NamedLockCreateOptions,
  type NamedLockHandle,
  type NamedLockOptions,
} from './core/named-lock';
export type { CreateOptions, OpenOptions } from './core/named-object';
export {
  SharedMemory,
  type SharedMemoryAttachOptions,
  type SharedMemoryCreateOptions,
  type SharedMemoryHandle,
  type SharedMemoryOpenOptions,
  type SharedObjectInfo,
} from './core/shared-memory';
export {
  SharedArray,
  type SharedArrayAttachOptions,
  type SharedArrayCreateOptions,
  type SharedArrayHandle,
  type SharedArrayOptions,
} from './numbers/shared-array';
export {
  SharedValue,
  type SharedValueAttachOptions,
  type SharedValueCreateOptions,
  type SharedValueHandle,
  type SharedValueOptions,
} from './numbers/shared-value';
export type { ElementOf, ElementType, TypedArrays } from '../common/element-types';
export { SharedMemoryError, type ErrorCode, type ErrorDetails } from '../common/errors';
export type { Kind } from './core/names';
export type { ChangeOptions, TimeoutOptions, WaitOptions } from '../common/options';
export type { NotAPromise } from '../common/sync-callbacks';
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
