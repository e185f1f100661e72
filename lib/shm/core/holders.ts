/** What is held through one handle. Read by its users, changed by {@link Holders.count}. */
export class Use {
  readonly handle: object;
  held = 0;

  constructor(handle: object) {
    this.handle = handle;
  }
}

/**
 * Handles through which something is held. They stay alive as long as this object is reachable, so garbage
 * collection does not release what is held. Usually there is only one handle, and one handle needs no set.
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

  /** Records how much is held through a handle. To repeat it does no harm, so an interrupted call can be made again. */
  count(use: Use, held: number): void {
    use.held = held;
    if (held > 0) this.add(use.handle);
    else this.delete(use.handle);
  }

  delete(handle: object): void {
    if (this.#one === handle) {
      this.#one = undefined;
    } else {
      this.#others.delete(handle);
    }
  }
}
