import { type SharedMemoryError } from '../../common/errors';
import { checkOptions } from '../../common/options';
import { checkCallback } from '../../common/sync-callbacks';
import { UnreadableError } from './unreadable';

/** How an iteration handles values that cannot be read. */
export interface IterationOptions {
  /**
   * Called for each value that cannot be read. The value is skipped. The error's `key` is the key of the
   * entry or the index of the element, unless not even the key makes sense. If the callback throws, the
   * iteration ends with that error. Without this callback, the iteration throws when it has reached its end.
   */
  readonly onUnreadable?: ((error: SharedMemoryError) => void) | undefined;
}

/** The values that an iteration has skipped because they cannot be read. */
export class PassedOver {
  readonly #tell: IterationOptions['onUnreadable'];
  #first: UnreadableError | undefined;
  #others = 0;

  constructor(options: IterationOptions) {
    checkOptions(options, ['onUnreadable']);
    const { onUnreadable } = options;
    if (onUnreadable !== undefined) checkCallback('onUnreadable', onUnreadable);
    this.#tell = onUnreadable;
  }

  /** Notes a skipped value. Throws any error that is not about a single value. */
  note(error: unknown): void {
    if (!(error instanceof UnreadableError)) throw error;
    if (this.#tell !== undefined) this.#tell(error);
    else if (this.#first === undefined) this.#first = error;
    else this.#others++;
  }

  /** To be called at the end of the iteration. Throws an error if values were skipped without a callback. */
  end(): void {
    const [first, others] = [this.#first, this.#others];
    if (first === undefined) return;
    if (others === 0) throw first;
    const { code, message, resource, key, cause } = first;
    throw new UnreadableError(code, `${message}; and ${others} more cannot be read`, {
      ...(resource !== undefined && { resource }),
      ...(key !== undefined && { key }),
      cause,
    });
  }
}
