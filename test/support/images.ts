// The bytes of an object's data, as a killed process leaves them. They are taken at one moment, and put
// into another object of the same size.
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

const pageBytes = 4096;

/** An object's file, without its header. */
export class Image {
  readonly #fd: number;
  readonly #dataAt: number;

  constructor(kind: string, name: string) {
    this.#fd = openSync(`/dev/shm/shmkit.${kind}.${name}`, 'r+');
    const header = Buffer.alloc(16);
    readSync(this.#fd, header, 0, 16, 0);
    this.#dataAt = header.readUInt32LE(12);
  }

  get size(): number {
    return fstatSync(this.#fd).size - this.#dataAt;
  }

  /** Reads the part for which there is memory. The structure's own first word says how much that is. */
  take(): Buffer {
    const pages = Buffer.alloc(4);
    readSync(this.#fd, pages, 0, 4, this.#dataAt);
    const bytes = Buffer.alloc(pages.readInt32LE(0) * pageBytes - this.#dataAt);
    readSync(this.#fd, bytes, 0, bytes.length, this.#dataAt);
    return bytes;
  }

  put(bytes: Uint8Array): void {
    writeSync(this.#fd, bytes, 0, bytes.length, this.#dataAt);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
