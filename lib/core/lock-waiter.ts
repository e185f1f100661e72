import { SharedMemoryError } from '../errors';
import { called, type Kind } from '../names';
import type { Lock } from './lock';
import type { LockGuard } from './lock-guard';
import type { LockSeat } from './lock-seat';
import { PendingTask } from './pending-task';

/** A task that awaits a lock: in a seat's queue until it has an outcome. */
export class LockWaiter extends PendingTask<LockGuard> {
  readonly lock: Lock;
  #seat!: LockSeat;

  constructor(lock: Lock, timeout: number | undefined, signal: AbortSignal | undefined) {
    super(timeout, signal);
    this.lock = lock;
  }

  joinQueue(seat: LockSeat): void {
    this.#seat = seat;
    seat.enqueue(this);
  }

  /** The lock that it waited for was unlinked: waits for the one that has the name now. */
  moveOn(): void {
    try {
      this.joinQueue(this.lock.reopen());
    } catch (error) {
      this.reject(error);
    }
  }

  protected override leave(): void {
    this.#seat.dequeue(this);
  }

  protected override expire(timeout: number): void {
    this.giveUp(notFree(this.lock.kind, this.lock.name, timeout));
  }
}

export function notFree(kind: Kind, name: string, timeout: number): SharedMemoryError {
  return new SharedMemoryError(
    'ERR_TIMEOUT',
    `${called(kind, name)} was not free within ${timeout} ms`,
    { resource: name },
  );
}
