export { attach, type Attached, type Handle } from './attach';
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
  type ShareableValue,
} from './data/shareable-list';
export type { ElementType, TypedArrays } from './element-types';
export { SharedMemoryError, type ErrorCode, type ErrorDetails } from './errors';
export type { Kind } from './names';
export type { TimeoutOptions, WaitOptions } from './options';
