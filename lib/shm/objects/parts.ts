import { extentOf, typedArrayName } from '../../common/element-types';
import { byteLengthOf, isArrayBuffer, isBuffer } from '../../values/intrinsics';
import { isPlain, replaced } from '../../values/replaced';
import { isChanging } from './borrowed';
import { SharedObject } from './shared-object';

/**
 * What stands in a message for an ArrayBuffer or a view that was taken out: the name of the object that has it, and
 * which of the object's parts it is.
 */
interface PartHandle {
  readonly shmkit: 'part';
  readonly name: string;
  readonly index: number;
}

/** A message of which the large buffers were taken out, and the object that has them, if there are any. */
export interface Lightened {
  readonly message: unknown;
  readonly object: SharedObject<object[]> | undefined;
}

/** A message whose buffers were put back in, and the objects that have them. */
export interface Completed {
  readonly message: unknown;
  readonly objects: readonly SharedObject<object[]>[];
}

/**
 * Takes the large ArrayBuffers out of a message, and all views of them. They are copied once, into one object. If there
 * is nothing large, the message stays as it is.
 *
 * @param least - from how many bytes on a buffer is large.
 * @param handOver - whether the object belongs to the receiver of the message.
 * @param spill - a directory for what has no room in memory.
 * @param lent - buffers that will not exist any more when the message is sent. What is small of them is copied.
 */
export function takeOut(
  message: unknown,
  least: number,
  handOver: boolean,
  spill: string | undefined,
  lent: ReadonlySet<ArrayBufferLike> = new Set(),
): Lightened {
  const found = new Map<object, object>();
  const copies = new Map<object, object>();
  replaced(message, '', (each) => {
    const view = viewOf(each);
    if (view === undefined) return undefined;
    // The receiver of a result gets it for itself.
    const isLent = lent.has(view.buffer) || (handOver && isChanging(view.buffer));
    // A view of a large buffer is sent together with the whole buffer. A Node Buffer is only its own bytes.
    const bytes =
      isLent || (ArrayBuffer.isView(each) && isBuffer(each))
        ? view.bytes
        : byteLengthOf(view.buffer);
    if (bytes >= least) found.set(each, isLent ? ownCopyOf(each, view) : each);
    else if (isLent) copies.set(each, ownCopyOf(each, view));
    return each;
  });
  if (found.size === 0 && copies.size === 0) return { message, object: undefined };
  const object =
    found.size > 0
      ? SharedObject.create({ from: [...found.values()], handOver, spill })
      : undefined;
  const indices = new Map([...found.keys()].map((each, index) => [each, index]));
  const lightened = replaced(message, '', (each) => {
    const index = indices.get(each);
    if (index === undefined || object === undefined) return copies.get(each);
    return { shmkit: 'part', name: object.name, index } satisfies PartHandle;
  });
  return { message: lightened, object };
}

/**
 * Puts the buffers back into a message that {@link takeOut} has made. The message stays as it is if nothing was taken
 * out.
 *
 * @param handOver - whether the objects belong to the receiver of the message.
 * @throws what attaching to an object throws; then nothing is attached.
 */
export function putIn(message: unknown, handOver: boolean): Completed {
  const objects = new Map<string, SharedObject<object[]>>();
  try {
    const completed = replaced(message, '', (each) => {
      if (!isPart(each)) return undefined;
      let object = objects.get(each.name);
      if (object === undefined) {
        object = SharedObject.attach<object[]>(each.name, { handOver });
        objects.set(each.name, object);
      }
      return object.value[each.index];
    });
    return { message: objects.size > 0 ? completed : message, objects: [...objects.values()] };
  } catch (error) {
    for (const object of objects.values()) object.close();
    throw error;
  }
}

/** The buffers of the parts of an object. */
export function buffersOf({ value }: SharedObject<object[]>): ArrayBufferLike[] {
  return value.map((each) =>
    ArrayBuffer.isView(each) ? extentOf(each).buffer : (each as ArrayBuffer),
  );
}

function isPart(object: object): object is PartHandle {
  const { shmkit, name, index } = object as Partial<Record<keyof PartHandle, unknown>>;
  return (
    shmkit === 'part' && typeof name === 'string' && Number.isSafeInteger(index) && isPlain(object)
  );
}

interface View {
  readonly buffer: ArrayBuffer;
  readonly at: number;
  readonly bytes: number;
}

/** The range of an ArrayBuffer, or of a view of one. Undefined for anything else. */
function viewOf(object: object): View | undefined {
  if (isArrayBuffer(object)) {
    const buffer = object as ArrayBuffer;
    return { buffer, at: 0, bytes: byteLengthOf(buffer) };
  }
  if (!ArrayBuffer.isView(object)) return undefined;
  const { buffer, byteOffset: at, byteLength: bytes } = extentOf(object);
  return isArrayBuffer(buffer) ? { buffer: buffer as ArrayBuffer, at, bytes } : undefined;
}

type Views = Record<string, (new (buffer: ArrayBuffer) => object) | undefined>;

/** The same bytes in memory of their own, as the same type. */
function ownCopyOf(object: object, { buffer, at, bytes }: View): object {
  const copy = new Uint8Array(new Uint8Array(buffer, at, bytes)).buffer;
  if (!ArrayBuffer.isView(object)) return copy;
  const { [typedArrayName(object) ?? '']: View = DataView } = globalThis as unknown as Views;
  return new View(copy);
}
