import type { Answer } from './answer';

/** What all named objects have in common. A handle is one process's use of the object. */
export interface Named {
  /** The kind of the object, as in its plain-data form: `'lock'`, `'dict'`. */
  readonly shmkit: string;
  /** The name by which other processes attach to the object. */
  readonly name: string;
  /** Whether this handle was closed. */
  readonly closed: boolean;
  /**
   * Ends this handle's use of the object. Other handles are not affected. Idempotent. Does not block.
   *
   * @throws SharedMemoryError `EBUSY` something is held through the handle.
   */
  close(): Answer<void>;
  /**
   * Removes the name. Processes that are attached keep the object until they close it.
   *
   * @throws SharedMemoryError `ENOENT` the object no longer exists.
   */
  unlink(): Answer<void>;
  /** The plain-data form of the object. In another process, `attach()` turns it into a handle again. */
  toJSON(): object;
}
