import { SharedMemoryError } from '../../common/errors';
import { Encoder, Tag, finish, read, tagIn, type SizeLimit, type Views } from '../../values/codec';
import { CorruptError, MismatchError } from '../../values/corrupt-error';
import type { AnyHandle } from '../../common/handles';
import { attachingBy, explainWithin } from '../../values/handles';
import type { Session } from '../lease/session';

/** The server accepts arguments of at most 512 MiB, and some of that is left for the rest of the request. */
const mostValueBytes = 2 ** 29 - 2 ** 16;

const limit: SizeLimit = {
  mostValueBytes,
  tooLarge: (size) =>
    new SharedMemoryError(
      'ERR_CAPACITY',
      `a value of ${size} bytes is larger than the maximum, ${mostValueBytes} bytes`,
    ),
};

const encoder = new Encoder(limit);

/** Memory that the codec can use begins at a multiple of this. */
const alignment = 8;

function viewsOf(memory: ArrayBuffer): Views {
  return {
    ints: new Int32Array(memory),
    bytes: new Uint8Array(memory),
    shorts: new Uint16Array(memory),
    floats: new Float64Array(memory),
    buffer: Buffer.from(memory),
  };
}

const padded = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/**
 * The stored form of a value: its bytes, and after them a byte that says what they are.
 *
 * @param what - how messages describe the value.
 * @throws TypeError `ERR_INVALID_ARG_TYPE` it cannot be cloned. SharedMemoryError `ERR_CAPACITY` it is too large.
 */
export function encode(what: string, value: unknown): Buffer {
  const { tag, size } = encoder.encode(what, value);
  const memory = new ArrayBuffer(padded(size + 1));
  encoder.write(viewsOf(memory), 0);
  const stored = Buffer.from(memory, 0, size + 1);
  stored[size] = tag;
  return stored;
}

/** How an absent value is stored where it is compared with one. */
export const absent: Buffer = Buffer.of(Tag.Undefined);

/** The byte that ends a stored number. The number itself is the 8 bytes of a double, the lowest first. */
export const numberMark: Buffer = Buffer.of(Tag.Number);

export function storedDouble(value: number): Buffer {
  const stored = Buffer.alloc(8);
  new DataView(stored.buffer, stored.byteOffset, 8).setFloat64(0, value, true);
  return stored;
}

export function doubleOf(stored: Buffer): number {
  return new DataView(stored.buffer, stored.byteOffset, 8).getFloat64(0, true);
}

/** Attaches to the object of a handle that was part of a value. */
let attachTo: ((session: Session, handle: AnyHandle) => Promise<object>) | undefined;

/** Tells how to attach to the objects within values. The classes are on a higher floor. */
export function tellAttaching(by: (session: Session, handle: AnyHandle) => Promise<object>): void {
  attachTo = by;
}

/**
 * The value of a stored form. Objects within it are attached to.
 *
 * @param inWhat - how messages call the object that has the value.
 * @throws SharedMemoryError `ERR_CORRUPT`, `ERR_ABI_MISMATCH`; what attaching to an object within it throws.
 */
export async function decode(
  session: Session,
  stored: Buffer,
  inWhat: string,
  key: string,
): Promise<unknown> {
  const size = stored.length - 1;
  const memory = new ArrayBuffer(padded(Math.max(size, 0) + 1));
  const views = viewsOf(memory);
  views.bytes.set(stored);
  const tag = tagIn(stored[size] ?? 0);
  const unpack = (attach: (handle: AnyHandle) => object) =>
    attachingBy(attach, () => finish(read(views, tag, 0, size)));
  try {
    // The first time finds out which objects there are in it. Most values have none, and need no second time.
    const within = new Map<string, AnyHandle>();
    const value = unpack((handle) => {
      within.set(JSON.stringify(handle), handle);
      return {};
    });
    if (within.size === 0) return value;
    const attached = new Map<string, object>();
    for (const [text, handle] of within) attached.set(text, await attachWithin(session, handle));
    return unpack((handle) => attached.get(JSON.stringify(handle)) ?? {});
  } catch (error) {
    const code =
      error instanceof CorruptError
        ? 'ERR_CORRUPT'
        : error instanceof MismatchError
          ? 'ERR_ABI_MISMATCH'
          : undefined;
    const { message } = error as Error;
    const what = `${inWhat} has a value of ${JSON.stringify(key)} that cannot be read: ${message}`;
    const own = (error as { code?: string } | undefined)?.code;
    throw new SharedMemoryError(code ?? own ?? 'EIO', what, { key, cause: error });
  }
}

async function attachWithin(session: Session, handle: AnyHandle): Promise<object> {
  if ((handle as { engine?: unknown }).engine !== 'redis' || attachTo === undefined) {
    const what = `it contains a ${handle.shmkit}, '${handle.name}', of one machine`;
    throw new MismatchError(`${what}, which is not there for others`);
  }
  try {
    return await attachTo(session, handle);
  } catch (error) {
    throw explainWithin(error, handle);
  }
}
