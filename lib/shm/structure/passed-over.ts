import { type SharedMemoryError } from '../../common/errors';
import { checkOptions } from '../../common/options';
import { checkCallback } from '../../common/sync-callbacks';
import { UnreadableError } from './unreadable';

/** What an iteration does about values that cannot be read. */
export interface IterationOptions {
  /**
   * Told of each value that cannot be read, which is passed over: `key` is the key of the entry, or the
   * index of the element, unless not even that makes sense. What it throws ends the iteration. Without
   * it the iteration throws when it has come to its end.
   */
  readonly onUnreadable?: ((error: SharedMemoryError) => void) | undefined;
}

/** The values that an iteration has passed over, since they cannot be read. */
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

  /** Notes a value; throws what says no more than that the whole is of no use. */
  note(error: unknown): void {
    if (!(error instanceof UnreadableError)) throw error;
    if (this.#tell !== undefined) this.#tell(error);
    else if (this.#first === undefined) this.#first = error;
    else this.#others++;
  }

  /** All others were seen. */
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
