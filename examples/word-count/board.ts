import { SharedMemory } from 'shmkit';
import { boardBytes, Chunk, chunkAt, Header, magic, Seat, seatAt, State } from './layout';

/**
 * Access by name to the words of the board. It takes no locks. Who may write which word, and when, is
 * decided in member.ts.
 *
 * Every access goes through `Atomics`, which neither the compiler nor the processor reorders. So if a
 * process is killed between two writes, it has made the first and not the second.
 */
export class Board {
  readonly seats: readonly SeatRecord[];
  readonly chunks: readonly ChunkRecord[];
  readonly #segment: SharedMemory;
  readonly #words: Uint32Array;

  private constructor(segment: SharedMemory) {
    this.#segment = segment;
    this.#words = segment.array('uint32');
    const [seats, chunks] = [this.#words[Header.seats]!, this.#words[Header.chunks]!];
    if (this.#words[Header.magic] !== magic || boardBytes(seats, chunks) > segment.size) {
      throw new Error(`segment '${segment.name}' is no board`);
    }
    this.seats = Array.from({ length: seats }, (_, seat) => {
      return new SeatRecord(this.#words, seatAt(seat), seat);
    });
    this.chunks = Array.from({ length: chunks }, (_, chunk) => {
      return new ChunkRecord(this.#words, chunkAt(chunk, seats), chunk);
    });
  }

  /** Creates a board on which no seat is taken and all chunks are free. */
  static create(name: string, seats: number, chunks: readonly Range[]): Board {
    const segment = SharedMemory.create({ name, size: boardBytes(seats, chunks.length) });
    const words = segment.array('uint32');
    words[Header.magic] = magic;
    words[Header.seats] = seats;
    words[Header.chunks] = chunks.length;
    const board = new Board(segment);
    for (const [index, { start, bytes }] of chunks.entries()) {
      board.chunks[index]!.textStart = start;
      board.chunks[index]!.textBytes = bytes;
    }
    return board;
  }

  static attach(name: string): Board {
    return new Board(SharedMemory.attach(name));
  }

  [Symbol.dispose](): void {
    this.#segment.close();
  }

  get joined(): number {
    return Atomics.load(this.#words, Header.joined);
  }
  set joined(count: number) {
    Atomics.store(this.#words, Header.joined, count);
  }

  get resultsUsed(): number {
    return Atomics.load(this.#words, Header.resultsUsed);
  }
  set resultsUsed(bytes: number) {
    Atomics.store(this.#words, Header.resultsUsed, bytes);
  }

  /** The seat of the worker that is inside the critical section. */
  get inside(): number | undefined {
    return orNobody(Atomics.load(this.#words, Header.inside));
  }
  set inside(seat: number | undefined) {
    Atomics.store(this.#words, Header.inside, orZero(seat));
  }

  /** The seat of the worker that sits in the trap. */
  get trapped(): number | undefined {
    return orNobody(Atomics.load(this.#words, Header.trapped));
  }
  set trapped(seat: number | undefined) {
    Atomics.store(this.#words, Header.trapped, orZero(seat));
  }

  /** Sets the trap: the first worker that claims this chunk is to be killed. */
  setTrap(chunk: number): void {
    Atomics.store(this.#words, Header.trap, chunk + 1);
  }

  /**
   * Whether this claim springs the trap. The trap springs once: the next worker that claims the chunk is
   * spared.
   */
  springsTrap(chunk: ChunkRecord): boolean {
    const armed = chunk.index + 1;
    return Atomics.compareExchange(this.#words, Header.trap, armed, 0) === armed;
  }

  get chunksDone(): number {
    return this.chunks.filter((chunk) => chunk.state === State.done).length;
  }
}

/** A range of bytes. */
export interface Range {
  readonly start: number;
  readonly bytes: number;
}

/** A run of words of the board, with indexes from 0. */
class BoardRecord {
  readonly index: number;
  readonly #words: Uint32Array;
  readonly #base: number;

  constructor(words: Uint32Array, base: number, index: number) {
    this.#words = words;
    this.#base = base;
    this.index = index;
  }

  protected get(word: number): number {
    return Atomics.load(this.#words, this.#base + word);
  }

  protected set(word: number, value: number): void {
    Atomics.store(this.#words, this.#base + word, value);
  }
}

export class SeatRecord extends BoardRecord {
  get pid(): number {
    return this.get(Seat.pid);
  }
  set pid(pid: number) {
    this.set(Seat.pid, pid);
  }

  get heirOf(): number | undefined {
    return orNobody(this.get(Seat.heirOf));
  }

  get dropped(): number {
    return this.get(Seat.dropped);
  }

  /** Records that this worker entered the critical section after a worker that died inside. */
  inherit(from: number, dropped: number): void {
    this.set(Seat.dropped, dropped);
    this.set(Seat.heirOf, from + 1);
  }
}

export class ChunkRecord extends BoardRecord {
  get state(): number {
    return this.get(Chunk.state);
  }

  get owner(): number {
    return this.get(Chunk.owner);
  }

  get textStart(): number {
    return this.get(Chunk.textStart);
  }
  set textStart(start: number) {
    this.set(Chunk.textStart, start);
  }

  get textBytes(): number {
    return this.get(Chunk.textBytes);
  }
  set textBytes(bytes: number) {
    this.set(Chunk.textBytes, bytes);
  }

  get result(): Range {
    return { start: this.get(Chunk.resultStart), bytes: this.get(Chunk.resultBytes) };
  }

  claim(owner: number): void {
    this.set(Chunk.owner, owner);
    this.set(Chunk.state, State.claimed);
  }

  free(): void {
    this.set(Chunk.state, State.free);
  }

  finish(result: Range): void {
    this.set(Chunk.resultStart, result.start);
    this.set(Chunk.resultBytes, result.bytes);
    this.set(Chunk.state, State.done);
  }
}

// Some words store the seat + 1, so that 0, the content of new memory, means that there is none.

function orNobody(word: number): number | undefined {
  return word === 0 ? undefined : word - 1;
}

function orZero(seat: number | undefined): number {
  return seat === undefined ? 0 : seat + 1;
}
