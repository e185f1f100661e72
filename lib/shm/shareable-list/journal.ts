import { journalLayout, type Elements, type Encoded, type Shape } from './layout';

const clear = 0;
const committed = 1;

/**
 * Makes a change of an element whole, whoever is killed at whatever instruction. It lies past the
 * list's last byte, where Python sees padding, and is used under the list's lock only.
 *
 * ```
 * clear ──► committed ──► clear
 * ```
 *
 * A change is recorded while the journal is clear, committed by one store, written to the list, and
 * cleared by one store. Invariants, by number:
 *
 * - J1  While it is clear, no element is half-changed by somebody who holds the lock.
 * - J2  While it is committed, its record is complete, and to write it to the list again is
 *       harmless: it says what the element is to be, not how it is to change.
 * - J3  Whoever has acquired the lock replays a committed record before anything else. So a change
 *       is there as soon as it is committed, and not at all before.
 *
 * Stores reach memory in the order of the program, as far as a killed process is concerned: it ends
 * between two instructions, and `Atomics` keep the compiler from moving others across the commit.
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

  /** Bytes of a list with a journal. */
  static bytes(shape: Shape): number {
    return journalLayout.end(shape);
  }

  /** In zeroed memory, before the list gets its length. */
  static create(elements: Elements, ownLock: boolean): Journal {
    const begin = journalLayout.begin(elements.shape);
    elements.ints[(begin + journalLayout.ownLockAt) / 4] = ownLock ? 1 : 0;
    elements.ints[(begin + journalLayout.magicAt) / 4] = journalLayout.magic;
    return new Journal(elements);
  }

  /** The one that is there, if there is one. */
  static find(elements: Elements): Journal | undefined {
    if (elements.bytes.length < journalLayout.end(elements.shape)) return undefined;
    const at = (journalLayout.begin(elements.shape) + journalLayout.magicAt) / 4;
    return elements.ints[at] === journalLayout.magic ? new Journal(elements) : undefined;
  }

  /** Changes an element. The caller has the lock, and has replayed. */
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
   * Completes the change of somebody who died. The caller has the lock.
   *
   * @returns false when the record is none that this library writes.
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
