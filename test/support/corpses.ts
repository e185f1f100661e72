// What is left by who is killed before any one of the stores of a change: images of an object, and an
// object that becomes as an image says.
import { Image } from './images';
import { atEachStore } from './stores';

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
 * The images that a kill before each store of something leaves, or before some of them.
 *
 * @param isTaken - whether there is to be one, by how many stores were made before.
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

/** The same of each store, and what there is after the last. */
export function imagesOf(object: Structure, act: () => unknown): Buffer[] {
  const images = imagesBefore(object, act);
  using image = imageOf(object);
  images.push(image.take());
  return images;
}

/** An object to put images into, that nobody here is attached to in between. */
export class Corpse<T extends Structure> implements Disposable {
  readonly #object: T;
  readonly #attach: (name: string) => T;

  /** @param attach - how the object is attached to, once there is an image in it. */
  constructor(object: T, attach: (name: string) => T) {
    object.close();
    this.#object = object;
    this.#attach = attach;
  }

  /** Does something to an object that is as an image says, and that was just attached. */
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
