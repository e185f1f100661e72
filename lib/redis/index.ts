// The public names of the engine that serves objects over Redis or Valkey. It is not exported from the package yet.
export { SharedMemoryError } from '../common/errors';
export type { ServerErrorCode } from './wire/failures';
export { connect, openSession, type ConnectOptions, type ManagerConnectOptions } from './connect';
export { Manager } from './manager';
export { Session } from './lease/session';
export { attach, classes, type ServedKind } from './objects/attach';
export { LockGuard } from './objects/lock-guard';
export { NamedEvent } from './objects/named-event';
export { NamedLock } from './objects/named-lock';
export { NamedRLock } from './objects/named-rlock';
export { NamedSemaphore, type NamedSemaphoreOptions } from './objects/named-semaphore';
export { OwnLock } from './objects/own-lock';
export { RLockGuard } from './objects/rlock-guard';
export { SemaphoreGuard } from './objects/semaphore-guard';
export { SharedDict, type SharedDictOptions } from './objects/shared-dict';
export { SharedValue, type SharedValueOptions } from './objects/shared-value';
export type { Fence, FenceOptions } from './objects/fencing';
