// What a TypeScript project does with the package's types. Each TypeScript must accept it, and refuse the
// marked lines.
import {
  attach,
  Manager,
  NamedCondition,
  NamedLock,
  NamedSemaphore,
  SharedArray,
  SharedDict,
  SharedMemory,
  SharedMemoryError,
  SharedNamespace,
  SharedQueue,
  SharedValue,
  type Attached,
  type Handle,
  type LockGuard,
  type NotAPromise,
  type SharedDictHandle,
} from 'shmkit';

interface Job {
  readonly id: number;
  readonly tags?: string[];
}

// Typed arrays have their own types, and are not any.
const memory = SharedMemory.create({ size: 64 });
export const numbers: Float64Array = memory.array('float64');
export const bigs: BigInt64Array = memory.array('int64', 8, 2);
export const bytes: Uint8Array = memory.read(0, 8);
export const buffer: ArrayBuffer = memory.array('uint8').buffer;
// @ts-expect-error another array type
export const wrong: Int8Array = memory.array('float64');
// @ts-expect-error no such property
export const none: unknown = memory.read().nonsense;
// @ts-expect-error it is not a string
export const text: string = memory.array('uint8');

// The type of a structure's content is kept, whichever way its handle takes.
const dict = SharedDict.create<Job>({ capacity: 1 << 20 });
export const again: SharedDict<Job> = attach(dict.toJSON());
export const itself: SharedDict<Job> = attach(dict);
export const handle: SharedDictHandle<Job> = dict.toJSON();
export const sent = attach(JSON.parse('{}') as SharedDictHandle<number>).get('x');
export const isNumber: number | undefined = sent;
export const queue: SharedQueue<Job> = attach(SharedQueue.create<Job>().toJSON());
export const values: { rate: number } = attach(
  SharedNamespace.create<{ rate: number }>().toJSON(),
).values;
export const value: SharedValue<'int64'> = attach(
  SharedValue.create({ type: 'int64', value: 1n }).toJSON(),
);
export const array: SharedArray<'float32'> = attach(
  SharedArray.create({ type: 'float32', length: 8 }).toJSON(),
);
export const whatever: Attached<Handle> = attach(JSON.parse('{}') as Handle);
// @ts-expect-error values of another type
export const otherwise: SharedDict<string> = attach(dict.toJSON());
// @ts-expect-error a number is not a job
dict.set('x', 1);

// Functions that are called at once are not async. Users can declare that for their own functions as well.
export const lock = NamedLock.open('types');
export function exclusive<T>(fn: (guard: LockGuard) => NotAPromise<T>): T {
  return lock.runExclusiveSync<T>(fn);
}
// Inferred types can be named in the declarations of a project that exports them.
/* eslint-disable @typescript-eslint/unbound-method -- only their types are looked at */
export const { runExclusiveSync } = NamedLock.prototype;
export const { waitFor } = NamedCondition.prototype;
/* eslint-enable @typescript-eslint/unbound-method */
export const one: number = exclusive(() => 1);
// @ts-expect-error an async function
void exclusive(async () => Promise.resolve(1));

// Options may be left out, but may not be undefined under exactOptionalPropertyTypes.
export const guard: LockGuard = lock.acquireSync({ timeout: 5 });
export const maybe: LockGuard | null = lock.tryAcquire();
export const permit: Promise<Disposable> = NamedSemaphore.open('types', { value: 2 }).acquire({
  timeout: 5,
});
// @ts-expect-error a misspelt option
lock.acquireSync({ timeOut: 5 });

export function codeOf(error: unknown): SharedMemoryError['code'] | undefined {
  return error instanceof SharedMemoryError ? error.code : undefined;
}

export async function work(): Promise<number> {
  using manager = Manager.create();
  using jobs = manager.queue<Job>('jobs');
  let sum = 0;
  for await (const job of jobs) sum += job.id;
  for (const [key, job] of dict) sum += key.length + (job.tags?.length ?? 0);
  return sum;
}
