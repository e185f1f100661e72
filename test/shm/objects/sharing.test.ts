// sharing() and shared() without a pool: what is sent in between, and what becomes of it.
import { SharedArray, SharedMemory, SharedObject, shared, sharing } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { now } from '../../../lib/shm/core/clock';
import { shared as sharedInside, takeBack } from '../../../lib/shm/objects/sharing';
import { expectCode } from '../../support/errors';
import { onLinux } from '../../support/system';
import { temporary, until } from '../../support/temporaries';

const large = 1 << 20;

const numbers = (length = large / 8) => Float64Array.from({ length }, (_, i) => i);

/** Sends through a structured clone, and says what it was. */
function channel<R>(
  handler: (...args: never[]) => R,
  seen: unknown[] = [],
): (...args: unknown[]) => Promise<Awaited<R>> {
  return async (...args: unknown[]): Promise<Awaited<R>> => {
    const message = structuredClone(args);
    seen.push(message);
    const result = await (handler as (...args: unknown[]) => unknown)(...message);
    seen.push(result);
    return structuredClone(result as Awaited<R>);
  };
}

function left(): string[] {
  if (!onLinux) return [];
  return SharedMemory.list().flatMap(({ kind, name }) => (kind === 'object' ? [name] : []));
}

describe('an argument', () => {
  it('that is large arrives as it was, and is not in the message', async () => {
    const seen: unknown[] = [];
    const run = sharing(
      channel(
        shared((task: { image: Float64Array; at: Date }, factor: number) => {
          expect(task.image).toEqual(numbers());
          expect(task.at).toEqual(new Date(5));
          return task.image[100]! * factor;
        }),
        seen,
      ),
    );
    expect(await run({ image: numbers(), at: new Date(5) }, 3)).toBe(300);
    expect(JSON.stringify(seen[0]).length).toBeLessThan(200);
    expect(seen[1]).toBe(300);
    expect(left()).toEqual([]);
  });

  it('in a SharedArray is seen as it is, and what the handler writes stays private', async () => {
    using array = temporary(SharedArray.create({ type: 'float64', from: numbers() }));
    const run = sharing(
      channel(
        shared((image: Float64Array) => {
          array.array[7] = -1;
          const seen = image[7];
          image[7] = -2;
          return seen;
        }),
      ),
    );
    expect(await run(array.array)).toBe(-1);
    expect(array.array[7]).toBe(-1);
    expect(left()).toEqual([]);
  });

  it('that is small is left as it is, and so is what contains nothing large', async () => {
    const message = { small: numbers(10), map: new Map([['a', [1]]]) };
    const received: unknown[] = [];
    const run = sharing((sent: object) => received.push(sent));
    await run(message);
    expect(received[0]).toBe(message);
  });

  it('is found wherever it is, once', async () => {
    const image = numbers();
    const all = {
      list: [image, { image }],
      map: new Map<unknown, unknown>([['image', image]]),
      set: new Set([image]),
      buffer: image.buffer,
      part: image.subarray(5, 7),
      data: new DataView(image.buffer, 8, 8),
    };
    const run = sharing(
      channel(
        shared((got: typeof all) => {
          const buffers = new Set([
            got.list[0] instanceof Float64Array && got.list[0].buffer,
            (got.list[1] as { image: Float64Array }).image.buffer,
            (got.map.get('image') as Float64Array).buffer,
            [...got.set][0]!.buffer,
            got.buffer,
            got.part.buffer,
            got.data.buffer,
          ]);
          expect(buffers.size).toBe(1);
          expect(got.part).toEqual(image.subarray(5, 7));
          expect(got.data.getFloat64(0, true)).toBe(1);
          expect(got.list[0]).toBe([...got.set][0]);
          return left().length;
        }),
      ),
    );
    expect(await run(all)).toBe(onLinux ? 1 : 0);
  });

  it('that is a Buffer of a pool is only its own bytes', async () => {
    const pool = Buffer.alloc(2 * large, 1);
    const run = sharing(channel(shared((...got: Uint8Array[]) => got.map(({ length }) => length))));
    expect(await run(pool.subarray(0, large), pool.subarray(0, 5))).toEqual([large, 5]);
  });

  it('is empty when the handler has ended', async () => {
    let kept: Float64Array | undefined;
    const run = sharing(
      channel(
        shared((image: Float64Array) => {
          kept = image;
        }),
      ),
    );
    await run(numbers());
    expect(kept).toHaveLength(0);
  });

  it('is held while the call goes on, and let go however it ends', async () => {
    const ends: [string, (image: Float64Array) => unknown][] = [
      ['a result', () => 1],
      ['an error', () => Promise.reject(new Error('a failure'))],
      [
        'an exception',
        () => {
          throw new Error('a failure');
        },
      ],
    ];
    for (const [, end] of ends) {
      const run = sharing((image: Float64Array) => {
        expect(left()).toHaveLength(onLinux ? 1 : 0);
        return end(image);
      });
      await run(numbers()).catch((error: unknown) => expect(error).toEqual(new Error('a failure')));
      expect(left()).toEqual([]);
    }
  });
});

describe('a result', () => {
  it('in a SharedArray is a copy, which its receiver has for itself', async () => {
    const array = SharedArray.create({ type: 'float64', from: numbers() });
    const run = sharing(channel(shared(() => array.array)));
    const result = await run();
    array.array[7] = -1;
    array.unlink();
    array.close();
    expect(result).toEqual(numbers());
    expect(left()).toEqual([]);
  });

  it('that is large arrives as it was, and its memory is not named any more', async () => {
    const seen: unknown[] = [];
    const run = sharing(
      channel(
        shared(() => ({ image: numbers(), n: 1 })),
        seen,
      ),
    );
    const result = await run();
    expect(result).toEqual({ image: numbers(), n: 1 });
    expect(JSON.stringify(seen[1]).length).toBeLessThan(200);
    expect(left()).toEqual([]);
    for (let i = 0; i < 3; i++) {
      gc!();
      await new Promise(setImmediate);
    }
    expect(result.image[77]).toBe(77);
  });

  it.each([
    ['an argument', (image: Float64Array) => image],
    ['a large part of one', (image: Float64Array) => image.subarray(0, large / 16 + 1)],
    ['a small part of one', (image: Float64Array) => image.subarray(5, 9)],
    ['a view of one', (image: Float64Array) => new Uint8Array(image.buffer, 8, 16)],
    ['parts of one', (image: Float64Array) => ({ a: image.subarray(1, 2), b: [image.buffer] })],
  ])('may be %s', async (_, of) => {
    const run = sharing(channel(shared(of as (image: Float64Array) => unknown)), {
      from: large / 2,
    });
    const image = numbers();
    expect(await run(image)).toEqual(of(image));
  });

  it('is released when it is collected', async () => {
    if (!onLinux) return;
    const run = sharing(channel(shared(() => numbers())));
    await run();
    await until(() => {
      gc!();
      return left().length === 0;
    });
  });
});

it.runIf(onLinux)(
  'results that nobody comes for are taken back after a while, and no others',
  async () => {
    const handler = sharedInside(() => numbers()) as () => Promise<unknown>;
    const before = now();
    const taken = await sharing(() => handler())();
    const replies = [await handler(), await handler()];
    expect(left()).toHaveLength(2);
    takeBack(before - 1);
    expect(left()).toHaveLength(2);
    takeBack(now());
    expect(left()).toEqual([]);
    expect(taken).toEqual(numbers());
    const late = sharing(() => replies[0]);
    await expect(late()).rejects.toMatchObject({ code: 'ENOENT' });
  },
);

describe('a mistake', () => {
  it.each([
    ['no function', () => sharing(undefined as never), 'ERR_INVALID_ARG_TYPE', 'call'],
    ['no handler', () => shared({} as never), 'ERR_INVALID_ARG_TYPE', 'handler'],
    ['a size of 0', () => sharing(() => 1, { from: 0 }), 'ERR_OUT_OF_RANGE', 'from'],
    ['a text', () => shared(() => 1, { from: '1' } as never), 'ERR_INVALID_ARG_TYPE', 'from'],
    [
      'another option',
      () => shared(() => 1, { form: 1 } as never),
      'ERR_INVALID_ARG_VALUE',
      'from',
    ],
  ])('is said: %s', (_, act, code, said) => {
    expectCode(act, code, said);
  });

  it('is to receive what is gone', async () => {
    const object = SharedObject.create({ from: [numbers()] });
    object.close();
    const handler = shared(() => 1) as (message: unknown) => Promise<number>;
    await expect(handler({ shmkit: 'part', name: object.name, index: 0 })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
