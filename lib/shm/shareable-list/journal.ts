import { journalLayout, type Elements, type Encoded, type Shape } from './layout';

const clear = 0;
const committed = 1;

/**
 * Makes a change of an element atomic, even if its process is killed at any instruction. The journal is
 * behind the list's last byte, where Python sees padding. It is used only under the list's lock.
 *
 * ```
 * clear ──► committed ──► clear
 * ```
 *
 * A change is recorded while the journal is clear, committed by one store, written to the list, and cleared
 * by one store. Invariants, by number:
 *
 * - J1  While the journal is clear, no lock owner has left an element half-changed.
 * - J2  While it is committed, its record is complete. Writing the record to the list again is harmless,
 *       because it contains the new element, not a difference.
 * - J3  Each new lock owner replays a committed record before anything else. So a change takes effect as soon
 *       as it is committed, and not before.
 *
 * For a process that is killed, stores reach memory in program order: the process ends between two
 * instructions, and `Atomics` prevents the compiler from moving other stores across the commit.
 */
export class Journal {
  readonly ownLock: boolean;
  readonly #elements: Elements;
  readonly #begin: number;
  readonly #stateAt: number;

  private constructor(elements: Elements) {
    this.#elements = elements;
    this.#begin = journalLayout.begin(elements.shape);
    this.#stateAt = (this.#begin + journalLayout.stateAt) / 4;
    this.ownLock = this.#int(journalLayout.ownLockAt) === 1;
  }

  /** The size in bytes of a list with a journal. */
  static bytes(shape: Shape): number {
    return journalLayout.end(shape);
  }

  /** Creates a journal in zeroed memory, before the list's length is written. */
  static create(elements: Elements, ownLock: boolean): Journal {
    const begin = journalLayout.begin(elements.shape);
    elements.ints[(begin + journalLayout.ownLockAt) / 4] = ownLock ? 1 : 0;
    elements.ints[(begin + journalLayout.magicAt) / 4] = journalLayout.magic;
    return new Journal(elements);
  }

  /** Returns the journal of a list; undefined when there is none. */
  static find(elements: Elements): Journal | undefined {
    if (elements.bytes.length < journalLayout.end(elements.shape)) return undefined;
    const at = (journalLayout.begin(elements.shape) + journalLayout.magicAt) / 4;
    return elements.ints[at] === journalLayout.magic ? new Journal(elements) : undefined;
  }

  /** Changes an element. The caller has the lock, and has called {@link replay}. */
  write(i: number, encoded: Encoded): void {
    const elements = this.#elements;
    if (elements.isOneWord(i, encoded)) {
      elements.write(i, encoded);
    } else {
      this.#record(i, encoded);
      Atomics.store(elements.ints, this.#stateAt, committed);
      elements.write(i, encoded);
      Atomics.store(elements.ints, this.#stateAt, clear);
    }
  }

  /**
   * Completes the change of an owner that died. The caller has the lock.
   *
   * @returns false when this library cannot have written the record.
   */
  replay(): boolean {
    const { ints } = this.#elements;
    const state = Atomics.load(ints, this.#stateAt);
    if (state === clear) return true;
    const i = this.#int(journalLayout.indexAt);
    if (state !== committed || i < 0 || i >= this.#elements.shape.length) return false;
    const encoded = this.#recorded(i);
    if (encoded === undefined) return false;
    this.#elements.write(i, encoded);
    Atomics.store(ints, this.#stateAt, clear);
    return true;
  }

  #record(i: number, { payload, size, format, code }: Encoded): void {
    const { ints, words, bytes } = this.#elements;
    const begin = this.#begin;
    const payloadAt = begin + journalLayout.payloadAt;
    ints[(begin + journalLayout.indexAt) / 4] = i;
    ints[(begin + journalLayout.sizeAt) / 4] = size;
    words[(begin + journalLayout.formatAt) / 8] = format;
    bytes[begin + journalLayout.codeAt] = code;
    bytes.set(payload, payloadAt);
    bytes.fill(0, payloadAt + payload.length, payloadAt + size);
  }

  #recorded(i: number): Encoded | undefined {
    const { shape, words, bytes } = this.#elements;
    const size = this.#int(journalLayout.sizeAt);
    const code = bytes[this.#begin + journalLayout.codeAt] ?? -1;
    const low = this.#int(journalLayout.formatAt);
    const high = this.#int(journalLayout.formatAt + 4);
    if (!this.#elements.isValid(i, low, high, code)) return undefined;
    if (size !== 8 && size !== shape.room(i)) return undefined;
    const payloadAt = this.#begin + journalLayout.payloadAt;
    return {
      format: words[(this.#begin + journalLayout.formatAt) / 8] ?? 0n,
      code,
      payload: new Uint8Array(bytes.subarray(payloadAt, payloadAt + size)),
      size,
    };
  }

  #int(at: number): number {
    return this.#elements.ints[(this.#begin + at) / 4] ?? -1;
  }
}
