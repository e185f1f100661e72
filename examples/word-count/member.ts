import { NamedLock, type LockGuard } from 'shmkit';
import { Board, type ChunkRecord, type Range, type SeatRecord } from './board';
import { namesOf, State } from './layout';

/**
 * A worker's part in the common work: claim a chunk, reserve room for its counts, commit it.
 *
 * No death anywhere loses a count or doubles one:
 *
 * - M1  Only `state = done` makes counts part of the result; it is written last, and once.
 * - M2  A claim is worth as much as its owner's life. When the owner is dead (its life lock is held
 *       no more), the chunk is free.
 * - M3  Room is reserved before it is used. Who dies in between leaves a hole that no chunk refers
 *       to; the segment is large enough for one from every worker.
 * - M4  Who dies inside the critical section is told to the next, by `abandoned`. The word `inside`
 *       says who it was, and the next drops that worker's claim before doing anything else.
 *
 * M2 alone would be enough for the right sum here. M4 is what a structure needs whose changes cannot
 * be committed by one word.
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

  /** Takes a seat at the board of the work that has the name. */
  static async join(name: string, board: Board, resultBytes: number): Promise<Member> {
    const member = new Member(name, board, resultBytes);
    using guard = await member.#guard.acquire();
    if (guard.abandoned) member.#repair();
    const seat = board.seats[board.joined];
    if (seat === undefined) throw new Error(`'${name}' has no seat left`);
    // If this process dies before the last line, the system gives back what is held for life, and
    // the next to come gets the same seat.
    if (member.#lives[seat.index]!.tryAcquire() === null) {
      throw new Error(`seat ${seat.index} of '${name}' is taken though nobody joined`);
    }
    seat.pid = process.pid;
    member.#seat = seat;
    board.joined++;
    return member;
  }

  /** A chunk to count, once there is one; `undefined` when all are counted. */
  async claim(): Promise<ChunkRecord | undefined> {
    for (;;) {
      const found = await this.#exclusively((seat) => this.#look(seat));
      if (found === undefined || typeof found === 'object') return found;
      // All that is left is in the hands of the living. Wait for one of them to end, by whatever
      // end: that gives its life lock to us. It goes back at once; should another worker take us for
      // its owner in between, it comes to wait here too, and is next.
      (await this.#lives[found]!.acquire()).release();
    }
  }

  /** Room in the results segment. */
  async reserve(bytes: number): Promise<Range> {
    return this.#exclusively(() => {
      const start = this.#board.resultsUsed;
      if (start + bytes > this.#resultBytes) throw new Error('the results segment is full');
      this.#board.resultsUsed = start + bytes;
      return { start, bytes };
    });
  }

  /** The counts are written: from now on they count. */
  async commit(chunk: ChunkRecord, result: Range): Promise<void> {
    await this.#exclusively(() => chunk.finish(result));
  }

  /** Gives the life lock back, by which those who wait for this worker learn that it is gone. */
  leave(): void {
    this.#lives[this.#own.index]!.release();
    for (const lock of [this.#guard, this.#parent, ...this.#lives]) lock.close();
  }

  /** A chunk, now claimed; or the seat of somebody who has claimed one; or `undefined`: all done. */
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

  /** The critical section. It is synchronous, so that nothing else of this process runs inside. */
  async #exclusively<T>(section: (seat: SeatRecord) => T): Promise<T> {
    const seat = this.#own;
    using guard: LockGuard = await this.#guard.acquire();
    if (guard.abandoned) this.#repair();
    this.#board.inside = seat.index;
    try {
      return section(seat);
    } finally {
      // Otherwise, were the next owner to die before it writes its own seat here, we would be taken
      // for the dead.
      this.#board.inside = undefined;
    }
  }

  /** Drops the claim of who died inside. Can die here itself: the next one then does all of it. */
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
   * The victim's last moments: it says where it is, and waits, inside the critical section, to be
   * killed. What it waits in is the parent's life lock, which it would get only if the parent died
   * first. An endless loop would do, but would survive the parent.
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
