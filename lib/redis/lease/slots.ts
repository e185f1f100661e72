// The moments until which leases are known to last, in memory that the program's thread shares with the thread that
// renews them. So a holder is never misled by messages that it has not read yet.

/** Moments are stored in nanoseconds, because Atomics has integers only. */
const nsPerMs = 1e6;

const slotsPerChunk = 1024;
/** The moment by the steady clock, and the moment by the wall clock. */
const wordsPerSlot = 2;

/** The moment of a lease that is lost for good. */
const lost = 0n;

/** Where the moments of one lease are. */
export interface Place {
  readonly memory: SharedArrayBuffer;
  readonly slot: number;
}

const toNs = (ms: number): bigint => BigInt(Math.round(ms * nsPerMs));
const toMs = (ns: bigint): number => Number(ns) / nsPerMs;

/** The end of one lease, by two clocks. The lease has ended when it has by either of them. */
export class LeaseEnd {
  readonly #words: BigInt64Array;
  readonly #at: number;

  constructor({ memory, slot }: Place) {
    this.#words = new BigInt64Array(memory);
    this.#at = slot * wordsPerSlot;
  }

  /** Begins a lease. */
  begin(steadyEndMs: number, wallEndMs: number): void {
    Atomics.store(this.#words, this.#at + 1, toNs(wallEndMs));
    Atomics.store(this.#words, this.#at, toNs(steadyEndMs));
  }

  /**
   * Makes the lease longer. It does nothing where the lease was declared lost in the meantime: what was lost once is
   * never held again.
   *
   * @returns whether it is longer now.
   */
  extend(steadyEndMs: number, wallEndMs: number): boolean {
    const before = Atomics.load(this.#words, this.#at);
    if (before === lost) return false;
    Atomics.store(this.#words, this.#at + 1, toNs(wallEndMs));
    return Atomics.compareExchange(this.#words, this.#at, before, toNs(steadyEndMs)) === before;
  }

  /** Declares the lease lost, for both threads. */
  lose(): void {
    Atomics.store(this.#words, this.#at, lost);
  }

  /** For how many milliseconds it lasts, as far as is known. Not more than 0 when it has ended. */
  leftMs(steadyNowMs: number, wallNowMs: number): number {
    const steady = toMs(Atomics.load(this.#words, this.#at)) - steadyNowMs;
    return Math.min(steady, toMs(Atomics.load(this.#words, this.#at + 1)) - wallNowMs);
  }
}

/** Gives away places, and takes them back. */
export class Slots {
  readonly #free: Place[] = [];

  take(): Place {
    return this.#free.pop() ?? this.#grow();
  }

  giveBack(place: Place): void {
    this.#free.push(place);
  }

  #grow(): Place {
    const bytes = slotsPerChunk * wordsPerSlot * BigInt64Array.BYTES_PER_ELEMENT;
    const memory = new SharedArrayBuffer(bytes);
    for (let slot = slotsPerChunk - 1; slot > 0; slot--) this.#free.push({ memory, slot });
    return { memory, slot: 0 };
  }
}
