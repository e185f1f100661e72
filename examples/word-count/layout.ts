/**
 * Every name and every offset that the processes of this demo agree on.
 *
 * They share three segments and a handful of locks:
 *
 * | what               | name              | for                                                    |
 * |--------------------|-------------------|--------------------------------------------------------|
 * | segment `board`    | `name`            | the words below: what there is to do, and who does it  |
 * | segment `text`     | `name.text`       | the bytes of all files, a 0 after each                 |
 * | segment `results`  | `name.results`    | encoded counts, chunk by chunk, in the order of making |
 * | lock `board`       | `name.board`      | guards the board                                       |
 * | lock `gate`        | `name.gate`       | the parent holds it until all workers are there        |
 * | lock `parent`      | `name.parent`     | the parent holds it for life                           |
 * | lock `worker(i)`   | `name.worker-i`   | worker i holds it for life                             |
 *
 * A lock held for life is how other processes learn of a death: the system releases the lock, however its
 * owner died.
 *
 * The board consists of 32-bit words: a header, a record for each seat that a worker can take, and a record
 * for each chunk of text.
 */

export function namesOf(name: string) {
  return {
    segments: { board: name, text: `${name}.text`, results: `${name}.results` },
    locks: { board: `${name}.board`, gate: `${name}.gate`, parent: `${name}.parent` },
    worker: (seat: number) => `${name}.worker-${seat}`,
  };
}

/** The words of the header. */
export const Header = {
  /** {@link magic} when the board is complete. */
  magic: 0,
  /** How many seat records follow the header. */
  seats: 1,
  /** How many chunk records follow the seats. */
  chunks: 2,
  /** How many seats are taken. Seats are taken in order and never given back. */
  joined: 3,
  /** How many bytes of the results segment are reserved. */
  resultsUsed: 4,
  /**
   * 1 + the seat of the worker that is inside the critical section. 0: no worker that has changed anything.
   */
  inside: 5,
  /** 1 + the chunk whose first claimant is to be killed. 0: there is none, or no longer. */
  trap: 6,
  /** 1 + the seat of the worker that sits in the trap, inside the critical section. */
  trapped: 7,
  words: 8,
} as const;

/** The words of a seat. */
export const Seat = {
  /** The worker's process id. */
  pid: 0,
  /** 1 + the seat of the worker that died inside the critical section just before this one. */
  heirOf: 1,
  /** How many torn claims this worker dropped at that time. */
  dropped: 2,
  words: 4,
} as const;

/** The words of a chunk. */
export const Chunk = {
  /** A {@link State}. */
  state: 0,
  /** The seat of the worker that claimed it, or counted it. */
  owner: 1,
  /** Where it lies in the text segment, in bytes. */
  textStart: 2,
  textBytes: 3,
  /** Where its counts lie in the results segment, in bytes. */
  resultStart: 4,
  resultBytes: 5,
  words: 6,
} as const;

/**
 * The states of a chunk: free → claimed → done. When the owner of a claimed chunk is dead, it goes back to
 * free. Everything else that a step changes is written before the state. That one word commits the step.
 */
export const State = { free: 0, claimed: 1, done: 2 } as const;

/** The characters 'word'. */
export const magic = 0x64726f77;

export function seatAt(seat: number): number {
  return Header.words + seat * Seat.words;
}

export function chunkAt(chunk: number, seats: number): number {
  return seatAt(seats) + chunk * Chunk.words;
}

export function boardBytes(seats: number, chunks: number): number {
  return chunkAt(chunks, seats) * Uint32Array.BYTES_PER_ELEMENT;
}
