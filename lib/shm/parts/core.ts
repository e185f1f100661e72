// Locks and segments, what all objects are built of, and attach(), which knows all kinds of objects. Each file in this
// folder says what belongs to a part of the library: its public names, and what several of the following parts use. See
// loading/parts.ts.
import '../core/word';
import '../core/ordered';
import '../core/roster';
import '../core/turns';
import '../core/holders';

export type { Lock } from '../core/lock';
export type { LockGuard } from '../core/lock-guard';
export {
  NamedLock,
  type NamedLockCreateOptions,
  type NamedLockHandle,
  type NamedLockOptions,
} from '../core/named-lock';
export type { CreateOptions, OpenOptions } from '../core/named-object';
export {
  SharedMemory,
  type SharedMemoryAttachOptions,
  type SharedMemoryCreateOptions,
  type SharedMemoryHandle,
  type SharedMemoryOpenOptions,
  type SharedObjectInfo,
} from '../core/shared-memory';
export type { ElementOf, ElementType, TypedArrays } from '../../common/element-types';
export { SharedMemoryError, type ErrorCode, type ErrorDetails } from '../../common/errors';
export type { Kind } from '../core/names';
export type { ChangeOptions, TimeoutOptions, WaitOptions } from '../../common/options';
export type { NotAPromise } from '../../common/sync-callbacks';
export { attach, type Attached, type Handle } from '../attach';
