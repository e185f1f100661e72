import type { Answer } from './answer';

/** What each object is to those who have a handle to it. A handle is one process's use of the object. */
export interface Named {
  /** Which kind of object it is, as its handles say it: `'lock'`, `'dict'`. */
  readonly shmkit: string;
  /** By which others attach to it. */
  readonly name: string;
  /** Whether this handle was closed. */
  readonly closed: boolean;
  /**
   * Ends this handle's use of the object; others keep theirs. Idempotent. Does not block.
   *
   * @throws SharedMemoryError `EBUSY` something is held through the handle.
   */
  close(): Answer<void>;
  /**
   * Removes the name. Those who have the object keep it until they close.
   *
   * @throws SharedMemoryError `ENOENT` there is no such object any more.
   */
  unlink(): Answer<void>;
  /** What `attach()` makes a handle of again, elsewhere: plain data. */
  toJSON(): object;
}
