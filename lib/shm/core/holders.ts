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

  delete(handle: object): void {
    if (this.#one === handle) {
      this.#one = undefined;
    } else {
      this.#others.delete(handle);
    }
  }
}
