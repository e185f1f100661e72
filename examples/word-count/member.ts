import { NamedLock, type LockGuard } from 'shmkit';
import { Board, type ChunkRecord, type Range, type SeatRecord } from './board';
import { namesOf, State } from './layout';

/**
 * A worker's part in the common work: claim a chunk, reserve room for its counts, commit it.
 *
 * A worker can die at any point, and no count is lost or counted twice:
 *
 * - M1  Only `state = done` makes counts part of the result. It is written last, and once. - M2  A claim is
 *       valid as long as its owner lives. When the owner is dead (its life lock is no longer held), the
 *       chunk is free. - M3  Room is reserved before it is used. A worker that dies in between leaves a
 *       hole that no chunk refers to. The segment is large enough for one hole from every worker. - M4
 *       When a worker dies inside the critical section, the next one learns of it from `abandoned`. The
 *       word `inside` says which worker died. The next one drops the dead worker's claim before it does
 *       anything else.
 *
 * Here M2 alone would be enough for the right sum. M4 is what a structure needs when its changes cannot be
 * committed by one word.
 */
export class Member {
  readonly #board: Board;
  readonly #resultBytes: number;
  readonly #guard: NamedLock;
  readonly #parent: NamedLock;
  readonly #lives: readonly NamedLock[];
  #seat: SeatRecord | undefined;

  private constructor(name: string, board: Board, resultBytes: number) {
    const { locks, worker } = namesOf(name);
    this.#board = board;
    this.#resultBytes = resultBytes;
    this.#guard = NamedLock.attach(locks.board);
    this.#parent = NamedLock.attach(locks.parent);
    this.#lives = board.seats.map(({ index }) => NamedLock.attach(worker(index)));
  }

  /** Takes a seat at the board of the work with this name. */
  static async join(name: string, board: Board, resultBytes: number): Promise<Member> {
    const member = new Member(name, board, resultBytes);
    using guard = await member.#guard.acquire();
    if (guard.abandoned) member.#repair();
    const seat = board.seats[board.joined];
    if (seat === undefined) throw new Error(`'${name}' has no seat left`);
    // If this process dies before the last line, the system releases the locks it holds for life, and the
    // next worker to join gets the same seat.
    if (member.#lives[seat.index]!.tryAcquire() === null) {
      throw new Error(`seat ${seat.index} of '${name}' is taken though nobody joined`);
    }
    seat.pid = process.pid;
    member.#seat = seat;
    board.joined++;
    return member;
  }

  /**
   * Resolves with a chunk to count, as soon as there is one. Resolves with `undefined` when all are
   * counted.
   */
  async claim(): Promise<ChunkRecord | undefined> {
    for (;;) {
      const found = await this.#exclusively((seat) => this.#look(seat));
      if (found === undefined || typeof found === 'object') return found;
      // All chunks that are left belong to living workers. Wait until one of these workers ends, in
      // whatever way: then we get its life lock. We release it at once. If another worker takes us for the
      // lock's owner in between, it comes to wait here too, and gets the lock next.
      (await this.#lives[found]!.acquire()).release();
    }
  }

  /** Reserves room in the results segment. */
  async reserve(bytes: number): Promise<Range> {
    return this.#exclusively(() => {
      const start = this.#board.resultsUsed;
      if (start + bytes > this.#resultBytes) throw new Error('the results segment is full');
      this.#board.resultsUsed = start + bytes;
      return { start, bytes };
    });
  }

  /** To be called when the counts are written. From now on they are part of the result. */
  async commit(chunk: ChunkRecord, result: Range): Promise<void> {
    await this.#exclusively(() => chunk.finish(result));
  }

  /** Releases the life lock. The workers that wait for it learn from this that this worker has left. */
  leave(): void {
    this.#lives[this.#own.index]!.release();
    for (const lock of [this.#guard, this.#parent, ...this.#lives]) lock.close();
  }

  /**
   * A chunk that is now claimed, or the seat of a worker that has claimed one, or `undefined` when all are
   * done.
   */
  #look(seat: SeatRecord): ChunkRecord | number | undefined {
    let busy: number | undefined;
    for (const chunk of this.#board.chunks) {
      if (chunk.state === State.done) continue;
      if (chunk.state === State.claimed && this.#lives[chunk.owner]!.locked) {
        busy = chunk.owner;
        continue;
      }
      chunk.claim(seat.index);
      if (this.#board.springsTrap(chunk)) this.#sitInTrap(seat);
      return chunk;
    }
    return busy;
  }

  /** The critical section. It is synchronous, so that no other code of this process runs inside it. */
  async #exclusively<T>(section: (seat: SeatRecord) => T): Promise<T> {
    const seat = this.#own;
    using guard: LockGuard = await this.#guard.acquire();
    if (guard.abandoned) this.#repair();
    this.#board.inside = seat.index;
    try {
      return section(seat);
    } finally {
      // If this stayed, and the next owner died before it wrote its own seat here, we would be taken for
      // the dead worker.
      this.#board.inside = undefined;
    }
  }

  /**
   * Drops the claim of the worker that died inside. If this worker dies here too, the next one does all of
   * it again.
   */
  #repair(): void {
    const dead = this.#board.inside;
    if (dead === undefined) return;
    const torn = this.#board.chunks.filter((chunk) => {
      return chunk.state === State.claimed && chunk.owner === dead;
    });
    for (const chunk of torn) chunk.free();
    this.#seat?.inherit(dead, torn.length);
    this.#board.inside = undefined;
  }

  /**
   * The victim's last moments. It says where it is, and waits inside the critical section to be killed. It
   * waits for the parent's life lock, which it would get only if the parent died first. An endless loop
   * would also do, but it would survive the parent.
   */
  #sitInTrap(seat: SeatRecord): never {
    this.#board.trapped = seat.index;
    this.#parent.acquireSync();
    throw new Error('the parent died before its victim');
  }

  get #own(): SeatRecord {
    if (this.#seat === undefined) throw new Error('this member has not joined');
    return this.#seat;
  }
}
