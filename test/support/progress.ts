// The progress of processes that are killed in the middle of their work. They count their own steps in
// shared memory. So a kill comes after the same amount of work on any machine, however fast it is.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SharedArray } from 'shmkit';
import type { Child } from './children';

export class Progress implements Disposable {
  readonly #counts: SharedArray<'int32'>;

  /** @param slots - one for each process that runs at the same time. */
  constructor(slots: number) {
    this.#counts = SharedArray.create({ type: 'int32', length: slots });
  }

  /** For the fixture: test/fixtures/structure/counted.ts. */
  get name(): string {
    return this.#counts.name;
  }

  /** Resolves when a child has done `count` more steps. Meanwhile calls `look`, at least once. */
  async goesOn(
    child: Child,
    slot: number,
    count: number,
    look: () => void = () => undefined,
  ): Promise<void> {
    const wanted = this.#of(slot) + count;
    do {
      if (child.hasEnded) {
        await child.succeed();
        throw new Error('the child ended');
      }
      look();
      await nextTurn();
    } while (this.#of(slot) < wanted);
  }

  [Symbol.dispose](): void {
    this.#counts.unlink();
    this.#counts.close();
  }

  #of(slot: number): number {
    return Atomics.load(this.#counts.array, slot);
  }
}
