/**
 * Handles through which something is held. Whoever can reach this keeps them: what is held is not
 * given back by collecting garbage. There is mostly one, which takes no set.
 */
export class Holders {
  #one: object | undefined;
  readonly #others = new Set<object>();

  add(handle: object): void {
    if (this.#one === undefined || this.#one === handle) {
      this.#one = handle;
    } else {
      this.#others.add(handle);
    }
  }

  delete(handle: object): void {
    if (this.#one === handle) {
      this.#one = undefined;
    } else {
      this.#others.delete(handle);
    }
  }
}
