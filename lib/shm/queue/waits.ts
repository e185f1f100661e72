// What the tasks and threads that use a queue wait for: room, items, or that all items are done.
import type { Attachment } from '../core/attachment';
import { now } from '../core/clock';
import { Waiting } from '../core/turns';
import type { Attempt, Wait } from '../core/word';
import type { Encoder } from '../../values/codec';
import type { Batch } from './batch';
import { shut, type QueueState } from './state';

/** The queue and the handle through which it is used. */
export interface Used {
  readonly handle: object;
  readonly attachment: Attachment;
  readonly state: QueueState;
}

/** The limits of a wait. */
export interface Limits {
  /** In milliseconds; undefined if there is no limit. */
  readonly timeout: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Appends items. Returns undefined if not all of them were appended. @throws SharedMemoryError `ERR_SHUTDOWN` */
export function append(
  { state, attachment }: Used,
  items: Encoder | Batch,
  look?: boolean,
  waiting?: Waiting,
): true | undefined {
  const outcome = state.append(items, look, waiting);
  if (outcome !== shut) return outcome;
  throw attachment.error('ERR_SHUTDOWN', 'was shut down: it accepts no more items');
}

/**
 * A wait for room.
 *
 * @param begun - when the timeout began. Packing the values has already used some of that time.
 */
export function waitForRoom(
  used: Used,
  items: Encoder | Batch,
  { timeout, signal }: Limits,
  begun: number,
): Wait<true> {
  const { state, attachment } = used;
  const waiting = new Waiting();
  return {
    handle: used.handle,
    attempt: (look) => {
      try {
        return append(used, items, look, waiting);
      } catch (error) {
        state.withdraw(waiting);
        throw error;
      }
    },
    timeout: timeout && Math.max(timeout - (now() - begun), 0),
    signal,
    expired: () => {
      state.withdraw(waiting);
      const { size, maxSize, blocker } = state;
      const isBlocked = size < maxSize && blocker !== undefined;
      const why = `: process ${blocker} has taken an item and is not done with it; the room behind it becomes free only after that`;
      throw attachment.error(
        'ERR_TIMEOUT',
        `had no room within ${timeout} ms${isBlocked ? why : ''}`,
      );
    },
    calledOff: () => state.withdraw(waiting),
  };
}

/** A wait for an item. */
export function waitForItem<T>(
  { handle, state, attachment }: Used,
  attempt: Attempt<T>,
  { timeout, signal }: Limits,
): Wait<T> {
  return {
    handle,
    attempt: (look) => {
      // `isShut` is read first: if it is true, all items that were put before the shutdown are seen too.
      const { isShut } = state;
      const taken = attempt(look || isShut);
      if (taken === undefined && isShut && state.isEmpty) {
        throw attachment.error('ERR_SHUTDOWN', 'was shut down, and has no more items');
      }
      return taken;
    },
    timeout,
    signal,
    expired: (limit) => {
      throw attachment.error('ERR_TIMEOUT', `had no item within ${limit} ms`);
    },
  };
}

/** A wait until all items are done. */
export function waitForDone(
  { handle, state, attachment }: Used,
  { timeout, signal }: Limits,
): Wait<true> {
  return {
    handle,
    attempt: () => (state.unfinished <= 0 ? true : undefined),
    timeout,
    signal,
    expired: (limit) => {
      const { unfinished } = state;
      throw attachment.error(
        'ERR_TIMEOUT',
        `still had ${unfinished} items that were not done after ${limit} ms`,
      );
    },
  };
}
