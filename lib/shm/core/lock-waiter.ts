import type { LockGuard } from './lock-guard';
import { notFree, type LockHandle, type LockSeat, type QueuedTask } from './lock-seat';
import { endBeginning, holdOperation } from './operations';
import { PendingTask } from './pending-task';

/**
 * A task that awaits a lock. Until it has an outcome, it is in the queue of the lock's seat, which all handles of
 * this thread to the lock share.
 */
export class LockWaiter extends PendingTask<LockGuard> implements QueuedTask {
  readonly lock: LockHandle<LockGuard>;
  #seat: LockSeat | undefined;

  constructor(
    lock: LockHandle<LockGuard>,
    timeout: number | undefined,
    signal: AbortSignal | undefined,
  ) {
    super(timeout, signal);
    this.lock = lock;
  }

  /** Begins to wait, and returns the promise. */
  begin(seat: LockSeat): Promise<LockGuard> {
    holdOperation(this);
    this.arm();
    this.joinQueue(seat);
    endBeginning(this);
    return this.promise;
  }

  joinQueue(seat: LockSeat): void {
    this.#seat = seat;
    seat.enqueue(this);
  }

  /** Called when the lock was unlinked. From then on, the task waits for the lock that has the name now. */
  moveOn(): void {
    try {
      this.joinQueue(this.lock.reopen());
    } catch (error) {
      this.reject(error);
    }
  }

  protected override leave(): void {
    this.#seat?.dequeue(this);
  }

  protected override expire(timeout: number): void {
    this.giveUp(notFree(this.lock.kind, this.lock.name, timeout));
  }
}
