import type { LockGuard } from './lock-guard';
import { notFree, type LockHandle, type LockSeat, type QueuedTask } from './lock-seat';
import { endBeginning, holdOperation } from './operations';
import { PendingTask } from './pending-task';

/** A task that awaits a lock. It is in a seat's queue until it has an outcome. */
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

  /** Begins to wait. */
  begin(seat: LockSeat): Promise<LockGuard> {
    holdOperation(this);
    this.arm();
    this.joinQueue(seat);
    endBeginning(undefined, this);
    this.hasBegun = true;
    return this.promise;
  }

  joinQueue(seat: LockSeat): void {
    this.#seat = seat;
    seat.enqueue(this);
  }

  /** The lock was unlinked. The task now waits for the lock that has the name now. */
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
