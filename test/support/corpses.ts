// What a process leaves that is killed before any of the stores of a change: images of an object, and an
// object that is put into the state of an image.
import { Image } from './images';
import { atEachStore } from '../fixtures/stores';

interface Structure {
  close(): void;
  unlink(): void;
  toJSON(): { readonly shmkit: string; readonly name: string };
}

/** The bytes of an object. */
export function imageOf(object: Structure): Image {
  const { shmkit, name } = object.toJSON();
  return new Image(shmkit, name);
}

/**
 * The images that a kill leaves before each store of an action, or before some of the stores.
 *
 * @param isTaken - whether to take an image, given the number of stores made before.
 */
export function imagesBefore(
  object: Structure,
  act: () => unknown,
  isTaken: (stores: number) => boolean = () => true,
): Buffer[] {
  using image = imageOf(object);
  const images: Buffer[] = [];
  let stores = 0;
  atEachStore(() => {
    if (isTaken(stores++)) images.push(image.take());
  }, act);
  return images;
}

/** The same for every store, and the image after the last store. */
export function imagesOf(object: Structure, act: () => unknown): Buffer[] {
  const images = imagesBefore(object, act);
  using image = imageOf(object);
  images.push(image.take());
  return images;
}

/** An object into which images are put. Nothing here is attached to it in between. */
export class Corpse<T extends Structure> implements Disposable {
  readonly #object: T;
  readonly #attach: (name: string) => T;

  /** @param attach - attaches to the object, after an image was put into it. */
  constructor(object: T, attach: (name: string) => T) {
    object.close();
    this.#object = object;
    this.#attach = attach;
  }

  /** Puts an image into the object, attaches to it, and calls a function with it. */
  after<R>(bytes: Buffer, look: (left: T) => R): R {
    {
      using image = imageOf(this.#object);
      image.put(bytes);
    }
    const left = this.#attach(this.#object.toJSON().name);
    try {
      return look(left);
    } finally {
      left.close();
    }
  }

  [Symbol.dispose](): void {
    this.#object.unlink();
  }
}
