import type * as contract from '../../contract/index';
import { checkOptions, throwIfAborted, waitOf, type WaitOptions } from '../../common/options';
import type { Session } from '../lease/session';
import { clearEvent, isEventSet, leaveEvent, setEvent, waitEvent } from '../scripts/event';
import {
  ServedObject,
  attachTo,
  create,
  freshName,
  managedBy,
  open,
  unlinkName,
  type Found,
  type KindKeys,
} from './served-object';

const keys: KindKeys = { kind: 'event', isOfName: false, ends: ['m', 's', 'g'] };
const contents = { options: {}, fields: ['set', '0', 'gen', '0'] };

/**
 * A flag that processes of any machine set, clear and wait for. A waiter goes on when the flag was set after the wait
 * began, even if it was cleared in the next instant, and even if the connection was lost in between.
 */
export class NamedEvent extends ServedObject<'event'> implements contract.Event {
  /** @internal */
  static readonly kindKeys = keys;

  private constructor(found: Found) {
    super(keys, found);
  }

  /** @internal Opens an object of a manager. */
  static async openManaged(session: Session, name: string, id: string, options: object = {}) {
    checkOptions(options, []);
    return new NamedEvent(await open(session, keys, name, managedBy(id, contents)));
  }

  /** @throws SharedMemoryError `EEXIST` */
  static async create(session: Session, options: { readonly name?: string } = {}) {
    checkOptions(options, ['name']);
    return new NamedEvent(await create(session, keys, options.name ?? freshName(), contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static async attach(session: Session, name: string): Promise<NamedEvent> {
    return new NamedEvent(await attachTo(session, keys, name));
  }

  static async open(session: Session, name: string, options: object = {}): Promise<NamedEvent> {
    checkOptions(options, []);
    return new NamedEvent(await open(session, keys, name, contents));
  }

  /** @throws SharedMemoryError `ENOENT` */
  static unlink(session: Session, name: string): Promise<void> {
    return unlinkName(session, keys, name);
  }

  /** Whether the flag is set. */
  async isSet(): Promise<boolean> {
    const { word } = await this.ask({ script: isEventSet, args: [], repeats: true });
    return word === 'yes';
  }

  /**
   * Sets the flag: all waiters go on.
   *
   * @throws SharedMemoryError `ERR_UNCERTAIN` the answer was lost: the flag may have been set. To set it again is safe
   * unless somebody may have cleared it meanwhile.
   */
  async set(): Promise<void> {
    await this.ask({ script: setEvent, args: [], repeats: false });
  }

  /** Clears the flag. @throws SharedMemoryError `ERR_UNCERTAIN`, as {@link set}. */
  async clear(): Promise<void> {
    await this.ask({ script: clearEvent, args: [], repeats: false });
  }

  /**
   * Waits until the flag is set.
   *
   * @throws SharedMemoryError `ERR_TIMEOUT`, `ERR_CLOSED`, `ERR_SHUTDOWN`, `ERR_UNAVAILABLE`. The signal's reason.
   */
  async wait(options?: WaitOptions): Promise<void> {
    this.checkOpen();
    const { timeout, signal } = waitOf(options);
    throwIfAborted(signal);
    const { session } = this;
    const { token, number } = session.token();
    const livesMs = session.options.leaseMs;
    /** How often it had been set when the wait began. */
    let first = '';
    await this.pending.wait<true>({
      session,
      number,
      attempt: async (isOver) => {
        const args = [token, String(livesMs), first];
        const { word, rest } = await this.ask({ script: waitEvent, args, repeats: true, isOver });
        if (word === 'set') return { got: true };
        first = String(rest[0]);
        return { lookInMs: livesMs / 3 };
      },
      timeout,
      signal,
      expired: (limit) => this.error('ERR_TIMEOUT', `was not set within ${limit} ms`),
      calledOff: () => session.tell({ script: leaveEvent, keys: this.allKeys, args: [token] }),
    });
  }
}
