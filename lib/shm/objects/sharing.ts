import { invalidType } from '../../common/errors';
import { checkInteger, checkOptions } from '../../common/options';
import { buffersOf, putIn, takeOut } from './parts';
import { now } from '../core/clock';
import { SharedObject } from './shared-object';
import { checkSpill } from './spilling';

/** Options of {@link sharing} and {@link shared}. */
export interface SharingOptions {
  /**
   * From how many bytes on a buffer goes through shared memory. Smaller buffers are sent as the pool sends them.
   * Default 1 MiB.
   */
  readonly from?: number | undefined;
  /** A directory for buffers for which there is no room in memory; see {@link SharedObject.create}. */
  readonly spill?: string | undefined;
}

const defaultFrom = 1 << 20;

/**
 * How long the buffers of a result wait for the sender of the task, in milliseconds. Some pools drop the result of a task
 * that was aborted, and nobody ever takes its buffers.
 */
export const resultLifetime = 300_000;

/** The objects with the buffers of results, in the order in which they were sent. */
const sent: { readonly name: string; readonly at: number }[] = [];

/**
 * Makes a pool send large typed arrays, ArrayBuffers and Buffers through shared memory, instead of copying them through
 * a pipe: in the arguments and in the result. It is the sender's half. The handler in the worker is made by
 * {@link shared}.
 *
 * ```js
 * const run = sharing((task) => pool.run(task));
 * const result = await run({ image, width: 640 });
 * ```
 *
 * Plain objects, arrays, maps and sets in the arguments are searched; everything else goes as the pool sends it. All
 * large buffers of a call are copied once, into one `SharedObject`, except for those of a `SharedArray`, a `SharedMemory`
 * or another `SharedObject`, which are shared memory already. The object exists until the returned promise is settled,
 * however the call and the worker end. A buffer that occurs several times is one buffer in the worker, and so are its
 * views.
 *
 * Buffers of the result are shared memory, too. They belong to this process alone, and their memory is released when
 * they are garbage collected.
 *
 * @param call - sends its arguments to a worker, and returns a promise of the result: a method of a pool, for example.
 * @returns a function with the same arguments. It throws what `call` throws; SharedMemoryError `ENOSPC` there is no
 * memory for the buffers.
 */
export function sharing<A extends unknown[], R>(
  call: (...args: A) => R,
  options: SharingOptions = {},
): (...args: A) => Promise<Awaited<R>> {
  checkFunction('call', call);
  const { least, spill } = limitsOf(options);
  return async function (this: unknown, ...args: A): Promise<Awaited<R>> {
    const { message, object } = takeOut(args, least, false, spill);
    try {
      const result: unknown = await Reflect.apply(call, this, message as A);
      const completed = putIn(result, true);
      for (const each of completed.objects) forgetName(each);
      return completed.message as Awaited<R>;
    } finally {
      if (object !== undefined) {
        // A worker that was stopped may still be about to end. Who attaches now is too late anyway.
        forgetName(object);
        object.close();
      }
    }
  };
}

/**
 * Makes a handler of a worker receive what {@link sharing} sends. The large buffers of the arguments are shared memory,
 * without a copy. They become empty when the handler has ended: copy what is to be kept. What the handler writes into
 * them stays private to this process.
 *
 * ```js
 * export default shared(async ({ image, width }) => blur(image, width));
 * ```
 *
 * @param handler - gets the arguments, and returns the result or a promise of it.
 * @returns a function to give to the pool.
 */
export function shared<A extends unknown[], R>(
  handler: (...args: A) => R,
  options: SharingOptions = {},
): (...args: A) => Promise<Awaited<R>> {
  checkFunction('handler', handler);
  const { least, spill } = limitsOf(options);
  return async function (this: unknown, ...args: A): Promise<Awaited<R>> {
    takeBack(now() - resultLifetime);
    const { message, objects } = putIn(args, false);
    try {
      const result: unknown = await Reflect.apply(handler, this, message as A);
      const lent = new Set(objects.flatMap(buffersOf));
      const { message: reply, object } = takeOut(result, least, true, spill, lent);
      if (object !== undefined) {
        sent.push({ name: object.name, at: now() });
        object.close();
      }
      return reply as Awaited<R>;
    } finally {
      for (const object of objects) object.close();
    }
  };
}

/** Takes back the buffers of results that were sent before a moment, if nobody has taken them. */
export function takeBack(before: number): void {
  for (let next = sent[0]; next !== undefined && next.at <= before; next = sent[0]) {
    sent.shift();
    try {
      SharedObject.attach(next.name, { handOver: true }).close();
    } catch {
      // The sender of the task has taken them.
    }
  }
}

/** Nobody else needs the name. So nothing is left if this process is killed. */
function forgetName(object: SharedObject): void {
  try {
    object.unlink();
  } catch {
    // It belongs to another user. It is removed when this process lets it go.
  }
}

function checkFunction(what: string, given: unknown): void {
  if (typeof given !== 'function') throw invalidType(what, 'a function', given);
}

function limitsOf(options: SharingOptions): { least: number; spill: string | undefined } {
  checkOptions(options, ['from', 'spill']);
  const { from = defaultFrom } = options;
  const least = checkInteger('from', from, 1, Number.MAX_SAFE_INTEGER, 'bytes');
  return { least, spill: checkSpill(options.spill) };
}
