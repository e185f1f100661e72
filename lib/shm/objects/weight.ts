import { native } from '../core/binding';

/**
 * Up to so many bytes, the engine need not know of the memory of objects. So a program that makes objects and closes them
 * has no additional collections.
 */
export const unnoticedBytes = 64 * 2 ** 20;

/** The engine is told in steps of so many bytes, because it does a part of a collection whenever it is told of more. */
const stepBytes = 16 * 2 ** 20;

/** The bytes of all objects of this thread that the engine does not know of by itself. */
let total = 0;
/** How many of them it was told of. */
let told = 0;

/**
 * The memory that an object takes as long as it is held. The engine knows of an ArrayBuffer over that memory, but a handle
 * is a small object to it. Without being told, it collects no garbage while handles that were forgotten fill the memory of
 * the machine.
 */
export class Weight {
  #bytes = 0;

  /** @param bytes - those that no ArrayBuffer of this thread is over. */
  set(bytes: number): void {
    total += bytes - this.#bytes;
    this.#bytes = bytes;
    const wanted = stepBytes * Math.floor(Math.max(total - unnoticedBytes, 0) / stepBytes);
    if (wanted === told) return;
    native.externalMemory(wanted - told);
    told = wanted;
  }
}
