// What every engine promises. An engine is an implementation of these interfaces. The one for one machine (lib/shm)
// returns results at once where it can; another engine may return promises. The table in docs/architecture.md shows
// where they differ.
export type { Answer, Answers, Reading } from './answer';
export type { Named } from './named';
export type { Lock, LockGuard, NamedLock, RLock, RLockGuard, RWLock, RWLockGuard } from './lock';
export type { Barrier, Condition, Event, Semaphore, SemaphoreGuard } from './sync';
export type { NumberArray, Value } from './numbers';
export type { Dict, Namespace, TtlOptions } from './dict';
export type { List } from './list';
export type { Queue, QueueItem } from './queue';
export type { Manager } from './manager';
