// What every engine promises: the one of one machine, which answers at once where it can, and any that
// answers by promises. docs/architecture.md has the table of where they differ.
export type { Answer, Answers } from './answer';
export type { Named } from './named';
export type { Lock, LockGuard, RLock, RLockGuard, RWLock, RWLockGuard } from './lock';
export type { Barrier, Condition, Event, Semaphore, SemaphoreGuard } from './sync';
export type { NumberArray, Value } from './numbers';
export type { Dict, Namespace, TtlOptions } from './dict';
export type { List } from './list';
export type { Queue, QueueItem } from './queue';
export type { Manager } from './manager';
