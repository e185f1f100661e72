// Python's synchronisation, except for plain locks, and numbers.
export {
  NamedBarrier,
  type NamedBarrierCreateOptions,
  type NamedBarrierHandle,
  type NamedBarrierHandleOptions,
  type NamedBarrierOptions,
} from '../sync/barrier';
export {
  NamedCondition,
  type NamedConditionCreateOptions,
  type NamedConditionHandle,
  type NamedConditionOptions,
} from '../sync/condition';
export {
  NamedEvent,
  type NamedEventCreateOptions,
  type NamedEventHandle,
  type NamedEventOptions,
} from '../sync/event';
export {
  NamedRLock,
  type NamedRLockCreateOptions,
  type NamedRLockHandle,
  type NamedRLockOptions,
} from '../sync/rlock';
export type { RLockGuard } from '../sync/rlock-guard';
export {
  NamedRWLock,
  type NamedRWLockCreateOptions,
  type NamedRWLockHandle,
  type NamedRWLockOptions,
} from '../sync/rw-lock';
export type { RWLockGuard } from '../sync/rw-lock-guard';
export {
  NamedSemaphore,
  type NamedSemaphoreCreateOptions,
  type NamedSemaphoreHandle,
  type NamedSemaphoreOptions,
} from '../sync/semaphore';
export type { SemaphoreGuard } from '../sync/semaphore-guard';
export {
  SharedArray,
  type SharedArrayAttachOptions,
  type SharedArrayCreateOptions,
  type SharedArrayHandle,
  type SharedArrayOptions,
} from '../numbers/shared-array';
export {
  SharedValue,
  type SharedValueAttachOptions,
  type SharedValueCreateOptions,
  type SharedValueHandle,
  type SharedValueOptions,
} from '../numbers/shared-value';
