import { assertType, describe, expectTypeOf, it } from 'vitest';
import {
  Manager,
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedMemoryError,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  SharedValue,
  attach,
  attachAll,
  type contract,
  type Attached,
  type ChangeOptions,
  type CreateOptions,
  type ElementOf,
  type ElementType,
  type EntryChangeOptions,
  type ErrorCode,
  type ErrorDetails,
  type GetOrSetOptions,
  type GetOrSetSyncOptions,
  type Handle,
  type ItemsOptions,
  type IterationOptions,
  type Lock,
  type LockGuard,
  type ManagerCreateOptions,
  type ManagerHandle,
  type ManagerOptions,
  type NamedBarrierCreateOptions,
  type NamedBarrierHandle,
  type NamedBarrierHandleOptions,
  type NamedBarrierOptions,
  type NamedConditionCreateOptions,
  type NamedConditionHandle,
  type NamedConditionOptions,
  type NamedEventCreateOptions,
  type NamedEventHandle,
  type NamedEventOptions,
  type NamedLockCreateOptions,
  type NamedLockHandle,
  type NamedLockOptions,
  type NamedRLockCreateOptions,
  type NamedRLockHandle,
  type NamedRLockOptions,
  type NamedRWLockCreateOptions,
  type NamedRWLockHandle,
  type NamedRWLockOptions,
  type NamedSemaphoreCreateOptions,
  type NamedSemaphoreHandle,
  type NamedSemaphoreOptions,
  type OpenOptions,
  type QueueItem,
  type RLockGuard,
  type RWLockGuard,
  type SemaphoreGuard,
  type ShareableListAttachOptions,
  type ShareableListCreateOptions,
  type ShareableListHandle,
  type ShareableListOpenOptions,
  type ShareableValue,
  type SharedArrayAttachOptions,
  type SharedArrayHandle,
  type SharedArrayOptions,
  type SharedDictCreateOptions,
  type SharedDictHandle,
  type SharedDictOptions,
  type SharedListCreateOptions,
  type SharedListHandle,
  type SharedListOptions,
  type SharedMemoryAttachOptions,
  type SharedMemoryCreateOptions,
  type SharedMemoryHandle,
  type SharedMemoryOpenOptions,
  type SharedNamespaceCreateOptions,
  type SharedNamespaceHandle,
  type SharedNamespaceOptions,
  type SharedObjectAllocateOptions,
  type SharedObjectAttachOptions,
  type SharedObjectCreateOptions,
  type SharedObjectHandle,
  type SharedQueueCreateOptions,
  type SharedQueueHandle,
  type SharedQueueOptions,
  type SharedValueAttachOptions,
  type SharedValueCreateOptions,
  type SharedValueHandle,
  type SharedValueOptions,
  type StructureCreateOptions,
  type StructureOptions,
  type TimeoutOptions,
  type TtlOptions,
  type WaitOptions,
} from 'shmkit';
import type { Blocking, OfHandle, Promised, Properties } from '../support/promised';

describe('SharedMemory', () => {
  it('gives the typed array of each element type', () => {
    const memory = SharedMemory.create({ size: 8 });
    expectTypeOf(memory.array('int8')).toEqualTypeOf<Int8Array<ArrayBuffer>>();
    expectTypeOf(memory.array('int64')).toEqualTypeOf<BigInt64Array<ArrayBuffer>>();
    expectTypeOf(memory.array('uint64')).toEqualTypeOf<BigUint64Array<ArrayBuffer>>();
    expectTypeOf(memory.array('float32', 4, 1)).toEqualTypeOf<Float32Array<ArrayBuffer>>();
    expectTypeOf(memory.read(0, 1)).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
    // @ts-expect-error no such element type
    memory.array('complex128');
  });

  it('takes what it documents, and no more', () => {
    assertType(SharedMemory.create({ name: 'x', size: 1, mode: 0o600, sparse: true }));
    assertType(SharedMemory.open('x', { size: 1 }));
    // @ts-expect-error a size is needed
    SharedMemory.create({ name: 'x' });
    // @ts-expect-error a misspelt option
    SharedMemory.attach('x', { readonly: true });
    // @ts-expect-error a size is a number
    SharedMemory.create({ size: 1n });
    // @ts-expect-error its properties cannot be assigned
    SharedMemory.attach('x').name = 'y';
    // @ts-expect-error it is created by static methods only
    new SharedMemory('x', false, {});
  });
});

describe('NamedLock', () => {
  it('gives guards', () => {
    const lock = NamedLock.open('x');
    expectTypeOf(lock.acquireSync({ timeout: 1 })).toEqualTypeOf<LockGuard>();
    expectTypeOf(lock.acquire()).toEqualTypeOf<Promise<LockGuard>>();
    expectTypeOf(lock.tryAcquire()).toEqualTypeOf<LockGuard | null>();
    expectTypeOf<LockGuard>().toExtend<Disposable>();
    expectTypeOf<NamedLock>().toExtend<Disposable>();
    // @ts-expect-error a blocking call can't be aborted
    lock.acquireSync({ signal: AbortSignal.timeout(1) });
  });

  it('passes results through', () => {
    const lock = NamedLock.open('x');
    expectTypeOf(lock.runExclusiveSync(() => 1)).toEqualTypeOf<number>();
    expectTypeOf(lock.runExclusiveSync(() => [1, 'a'])).toEqualTypeOf<(number | string)[]>();
    expectTypeOf(lock.runExclusiveSync(() => JSON.parse('1') as boolean)).toEqualTypeOf<boolean>();
    expectTypeOf(lock.runExclusive(() => 'x')).toEqualTypeOf<Promise<string>>();
    // @ts-expect-error an async function belongs to runExclusive
    void lock.runExclusiveSync(async () => Promise.resolve(1));
    // @ts-expect-error -- calling it runs nothing
    void lock.runExclusiveSync(function* () {
      yield 1;
    });
    // @ts-expect-error an async function belongs to runExclusive
    void NamedRLock.open('x').runExclusiveSync(() => Promise.resolve(1));
    // @ts-expect-error a promise is neither true nor false
    void NamedCondition.open('x').waitFor(() => Promise.resolve(false));
    // @ts-expect-error a promise is neither true nor false
    void NamedCondition.open('x').waitForSync(async () => Promise.resolve(false));
    expectTypeOf(lock.runExclusive(() => Promise.resolve(true))).toEqualTypeOf<Promise<boolean>>();
  });
});

describe('ShareableList', () => {
  it('has elements of Python’s types', () => {
    const list = ShareableList.create({ from: [1, 2n, 'x', new Uint8Array(1), true, null] });
    expectTypeOf(list.at(0)).toEqualTypeOf<ShareableValue | undefined>();
    expectTypeOf(list.toArray()).toEqualTypeOf<ShareableValue[]>();
    expectTypeOf([...list]).toEqualTypeOf<ShareableValue[]>();
    expectTypeOf([...list.entries()]).toEqualTypeOf<[number, ShareableValue][]>();
    expectTypeOf(list.lock).toEqualTypeOf<NamedLock | undefined>();
    expectTypeOf(list.toJSON()).toEqualTypeOf<ShareableListHandle>();
    expectTypeOf<ShareableList>().toExtend<Disposable>();
    // @ts-expect-error not an element
    list.set(0, undefined);
    // @ts-expect-error not an element
    ShareableList.create({ from: [{}] });
  });

  it('takes what it documents, and no more', () => {
    assertType(ShareableList.create({ from: new Set(['a']), name: 'x', mode: 0o600, lock: true }));
    assertType(ShareableList.create({ from: Float64Array.of(1) }));
    assertType(ShareableList.attach('x', { lock: NamedLock.open('y') }));
    // @ts-expect-error elements are needed
    ShareableList.create({ name: 'x' });
    // @ts-expect-error a list has no readOnly
    ShareableList.attach('x', { readOnly: true });
    // @ts-expect-error its length is fixed
    ShareableList.attach('x').length = 5;
  });
});

describe('element types', () => {
  it('are numpy’s, and of 64 bits a bigint', () => {
    expectTypeOf<ElementOf<'int64' | 'uint64'>>().toEqualTypeOf<bigint>();
    expectTypeOf<ElementOf<'int8' | 'uint32' | 'float32' | 'float64'>>().toEqualTypeOf<number>();
    expectTypeOf<ElementOf<ElementType>>().toEqualTypeOf<number | bigint>();
    // @ts-expect-error no such type
    assertType<ElementType>('int128');
  });
});

describe('SharedValue', () => {
  it('has values of its type', () => {
    const int = SharedValue.create({ type: 'int32', value: 1 });
    expectTypeOf(int).toEqualTypeOf<SharedValue<'int32'>>();
    expectTypeOf(int.type).toEqualTypeOf<'int32'>();
    expectTypeOf(int.value).toEqualTypeOf<number>();
    expectTypeOf(int.add(1)).toEqualTypeOf<number>();
    const big = SharedValue.open('x', { type: 'int64', value: 1n });
    expectTypeOf(big.value).toEqualTypeOf<bigint>();
    expectTypeOf(big.add(1n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.exchange(1n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.compareExchange(1n, 2n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.update((value) => value + 1n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.update((value) => value + 1n, { timeout: 5 })).toEqualTypeOf<bigint>();
    expectTypeOf(big.wait(1n, { timeout: 1 })).toEqualTypeOf<Promise<bigint>>();
    expectTypeOf(big.waitSync(1n)).toEqualTypeOf<bigint>();
    big.value = 2n;
    // @ts-expect-error a number where a bigint belongs
    big.value = 2;
    // @ts-expect-error a bigint where a number belongs
    int.add(1n);
    // @ts-expect-error a number where a bigint belongs
    SharedValue.create({ type: 'uint64', value: 1 });
    // @ts-expect-error the new value must be a number
    int.update((value) => `${value}`);
    // @ts-expect-error the value to wait for is a bigint
    big.waitSync(1);
    // @ts-expect-error no such type
    SharedValue.create({ type: 'int' });
    // @ts-expect-error a type is needed
    SharedValue.create({ value: 1 });
  });

  it('is attached to by name, of any type or the one that is asked for', () => {
    expectTypeOf(SharedValue.attach('x', { type: 'uint8' })).toEqualTypeOf<SharedValue<'uint8'>>();
    expectTypeOf(SharedValue.attach('x').value).toEqualTypeOf<number | bigint>();
    expectTypeOf(SharedValue.attach('x').toJSON()).toEqualTypeOf<SharedValueHandle>();
    expectTypeOf(SharedValue.attach('x').lock).toEqualTypeOf<Lock>();
    expectTypeOf(SharedValue.attach('x').lock.acquireSync()).toEqualTypeOf<LockGuard>();
    expectTypeOf<SharedValue>().toExtend<Disposable>();
    // @ts-expect-error its properties cannot be assigned
    SharedValue.attach('x').type = 'int8';
    // @ts-expect-error it is created by static methods only
    new SharedValue('x');
  });
});

describe('SharedArray', () => {
  it('has elements of its type', () => {
    const array = SharedArray.create({ type: 'float64', length: 3 });
    expectTypeOf(array.array).toEqualTypeOf<Float64Array<ArrayBuffer>>();
    expectTypeOf(array.slice(1)).toEqualTypeOf<Float64Array<ArrayBuffer>>();
    expectTypeOf(array.at(-1)).toEqualTypeOf<number | undefined>();
    expectTypeOf([...array]).toEqualTypeOf<number[]>();
    expectTypeOf(array.fill(1)).toExtend<SharedArray<'float64'>>();
    const big = SharedArray.open('x', { type: 'uint64', length: 3 });
    expectTypeOf(big.array).toEqualTypeOf<BigUint64Array<ArrayBuffer>>();
    expectTypeOf(big.at(0)).toEqualTypeOf<bigint | undefined>();
    expectTypeOf([...big]).toEqualTypeOf<bigint[]>();
    expectTypeOf(big.add(0, 1n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.update(0, (value) => value * 2n)).toEqualTypeOf<bigint>();
    expectTypeOf(big.update(0, (value) => value, { timeout: 5 })).toEqualTypeOf<bigint>();
    big.set(0, 1n);
    big.set([1n, 2n], 1);
    // @ts-expect-error a number where a bigint belongs
    big.set(0, 1);
    // @ts-expect-error numbers where bigints belong
    big.set([1, 2]);
    // @ts-expect-error a number where a bigint belongs
    big.fill(0);
    // @ts-expect-error the length of an array is fixed
    array.length = 5;
    // @ts-expect-error the typed array cannot be replaced
    array.array = new Float64Array(3);
  });

  it('is made of a length or of elements, and not of both', () => {
    expectTypeOf(SharedArray.create({ type: 'int64', from: [1n, 2n] })).toEqualTypeOf<
      SharedArray<'int64'>
    >();
    assertType(SharedArray.create({ type: 'int8', from: new Set([1, 2]), name: 'x', mode: 0o600 }));
    assertType<SharedArray>(SharedArray.create({ from: Float32Array.of(1) }));
    // @ts-expect-error numbers where bigints belong
    SharedArray.create({ type: 'int64', from: [1, 2] });
    // @ts-expect-error a length or elements
    SharedArray.create({ type: 'int8' });
    // @ts-expect-error a length or elements
    SharedArray.create({ type: 'int8', length: 1, from: [1] });
    // @ts-expect-error a type is needed unless the elements are a typed array
    SharedArray.create({ from: [1, 2] });
    // @ts-expect-error both are needed
    SharedArray.open('x', { type: 'int8' });
    // @ts-expect-error a misspelt option
    SharedArray.attach('x', { size: 1 });
    expectTypeOf(SharedArray.attach('x').toJSON()).toEqualTypeOf<SharedArrayHandle>();
    expectTypeOf<SharedArray>().toExtend<Disposable>();
    expectTypeOf<SharedArray<'int8'>>().toExtend<Iterable<number>>();
  });
});

describe('what is acquired', () => {
  it('comes as a guard of its own class', () => {
    const rlock = NamedRLock.open('x', { mode: 0o600 });
    expectTypeOf(rlock.acquireSync()).toEqualTypeOf<RLockGuard>();
    expectTypeOf(rlock.acquire({ timeout: 1 })).toEqualTypeOf<Promise<RLockGuard>>();
    expectTypeOf(rlock.tryAcquire()).toEqualTypeOf<RLockGuard | null>();
    expectTypeOf(rlock.depth).toEqualTypeOf<number>();
    expectTypeOf(rlock.runExclusiveSync((guard) => guard)).toEqualTypeOf<RLockGuard>();
    expectTypeOf(rlock.runExclusive(() => Promise.resolve(1))).toEqualTypeOf<Promise<number>>();

    const semaphore = NamedSemaphore.create({ value: 2, max: 3, robust: false, participants: 4 });
    expectTypeOf(semaphore.acquireSync()).toEqualTypeOf<SemaphoreGuard>();
    expectTypeOf(semaphore.acquire()).toEqualTypeOf<Promise<SemaphoreGuard>>();
    expectTypeOf(semaphore.tryAcquire()).toEqualTypeOf<SemaphoreGuard | null>();
    expectTypeOf(semaphore.max).toEqualTypeOf<number | undefined>();

    const lock = NamedRWLock.open('x');
    expectTypeOf(lock.acquireReadSync()).toEqualTypeOf<RWLockGuard>();
    expectTypeOf(lock.acquireWrite()).toEqualTypeOf<Promise<RWLockGuard>>();
    expectTypeOf(lock.tryAcquireWrite()).toEqualTypeOf<RWLockGuard | null>();
    expectTypeOf(lock.acquireReadSync().mode).toEqualTypeOf<'read' | 'write'>();

    for (const guard of [rlock.acquireSync(), semaphore.acquireSync(), lock.acquireReadSync()]) {
      expectTypeOf(guard).toExtend<Disposable>();
    }
    // @ts-expect-error a blocking call can't be aborted
    semaphore.acquireSync({ signal: AbortSignal.timeout(1) });
    // @ts-expect-error a guard comes from acquiring
    lock.acquireReadSync().abandoned = true;
    // @ts-expect-error a misspelt option
    NamedSemaphore.create({ values: 1 });
    // @ts-expect-error locks have no such option
    NamedRLock.create({ participants: 1 });
  });
});

describe('what is waited for', () => {
  it('comes as what it is', () => {
    const event = NamedEvent.open('x');
    expectTypeOf(event.wait({ timeout: 1, signal: AbortSignal.timeout(1) })).toEqualTypeOf<
      Promise<void>
    >();
    expectTypeOf(() => event.waitSync()).returns.toBeVoid();
    expectTypeOf(event.isSet).toEqualTypeOf<boolean>();

    const condition = NamedCondition.open('x', { participants: 5 });
    expectTypeOf(condition.lock).toEqualTypeOf<Lock>();
    expectTypeOf(condition.wait()).toEqualTypeOf<Promise<void>>();
    expectTypeOf(condition.waitFor(() => 'x')).toEqualTypeOf<Promise<string>>();
    expectTypeOf(condition.waitForSync(() => 1)).toEqualTypeOf<number>();
    expectTypeOf(condition.notify(2)).toEqualTypeOf<number>();
    expectTypeOf(condition.notifyAll()).toEqualTypeOf<number>();

    const barrier = NamedBarrier.open('x', { parties: 2, action: () => Promise.resolve(1) });
    expectTypeOf(barrier.wait()).toEqualTypeOf<Promise<number>>();
    expectTypeOf(barrier.waitSync({ timeout: 5 })).toEqualTypeOf<number>();
    expectTypeOf(barrier.broken).toEqualTypeOf<boolean>();
    // @ts-expect-error the number of parties is needed
    NamedBarrier.create({ name: 'x' });
    // @ts-expect-error an existing barrier has its number of parties
    NamedBarrier.attach('x', { parties: 2 });
    // @ts-expect-error a blocking call can't be aborted
    event.waitSync({ signal: AbortSignal.timeout(1) });
    // @ts-expect-error an event is set by its method
    event.isSet = true;
    expectTypeOf<NamedEvent | NamedCondition | NamedBarrier>().toExtend<Disposable>();
  });
});

describe('SharedQueue', () => {
  it('has the type of its items', () => {
    const queue = SharedQueue.create<{ id: number }>();
    expectTypeOf(queue.getSync()).toEqualTypeOf<{ id: number }>();
    expectTypeOf(queue.get()).toEqualTypeOf<Promise<{ id: number }>>();
    expectTypeOf(queue.tryGet()).toEqualTypeOf<{ id: number } | undefined>();
    expectTypeOf(queue.takeSync()).toEqualTypeOf<QueueItem<{ id: number }>>();
    expectTypeOf(queue.tryTake()).toEqualTypeOf<QueueItem<{ id: number }> | null>();
    expectTypeOf(queue.getMany(5)).toEqualTypeOf<Promise<{ id: number }[]>>();
    expectTypeOf(queue.tryTakeMany(5)).toEqualTypeOf<QueueItem<{ id: number }>[]>();
    expectTypeOf(queue.tryPutMany([{ id: 1 }])).toEqualTypeOf<number>();
    assertType<Promise<void>>(queue.putMany(new Set([{ id: 1 }]), { timeout: 5 }));
    // @ts-expect-error values of another type
    queue.putManySync([1]);
    expectTypeOf(SharedQueue.attach('x').getSync()).toEqualTypeOf<unknown>();
    // @ts-expect-error a value of another type
    queue.putSync(1);
  });
});

describe('lists', () => {
  it('have elements of one type', () => {
    const list = SharedList.open<number>('x', { capacity: 1 << 20 });
    expectTypeOf(list.at(0)).toEqualTypeOf<number | undefined>();
    expectTypeOf(list.pop()).toEqualTypeOf<number | undefined>();
    expectTypeOf(list.push(1, 2)).toEqualTypeOf<number>();
    expectTypeOf(list.splice(0, 1, 5)).toEqualTypeOf<number[]>();
    expectTypeOf([...list.entries()]).toEqualTypeOf<[number, number][]>();
    expectTypeOf(list.update(0, (n) => n + 1)).toEqualTypeOf<number>();
    const limit = { timeout: 5 };
    expectTypeOf(list.update(0, (n) => n + 1, limit)).toEqualTypeOf<number>();
    expectTypeOf(list.compareAndSet(0, 1, 2, limit)).toEqualTypeOf<boolean>();
    expectTypeOf([list.pop(limit), list.shift(limit)]).toEqualTypeOf<(number | undefined)[]>();
    list.set(0, 1, limit);
    list.clear(limit);
    // @ts-expect-error a change cannot be aborted
    list.add(0, 1, { signal: new AbortController().signal });
    // @ts-expect-error all arguments are elements
    list.push(1, limit);
    expectTypeOf(SharedList.create().at(0)).toEqualTypeOf<unknown>();
    expectTypeOf<SharedList>().toExtend<Disposable>();
    // @ts-expect-error an element of another type
    list.push('a');
    // @ts-expect-error elements are assigned by set()
    list[0] = 1;
    // @ts-expect-error no such option
    SharedList.create({ size: 5 });
  });
});

describe('a dict', () => {
  it("has a Map's types, of one type of values", () => {
    const dict = SharedDict.open<number>('x');
    expectTypeOf(dict.get('k')).toEqualTypeOf<number | undefined>();
    expectTypeOf(dict.set('k', 1)).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf([...dict]).toEqualTypeOf<[string, number][]>();
    expectTypeOf(dict.update('k', (value = 0) => value + 1)).toEqualTypeOf<number>();
    expectTypeOf(dict.getOrSet('k', () => Promise.resolve(1))).toEqualTypeOf<Promise<number>>();
    const limit = { timeout: 5, ttl: 100 };
    expectTypeOf(limit).toExtend<EntryChangeOptions>();
    expectTypeOf<ChangeOptions>().toEqualTypeOf<{ readonly timeout?: number | undefined }>();
    expectTypeOf(dict.set('k', 1, limit)).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf(dict.update('k', () => 1, limit)).toEqualTypeOf<number>();
    expectTypeOf(dict.add('k', 1, limit)).toEqualTypeOf<number>();
    expectTypeOf(dict.setIfAbsent('k', 1, limit)).toEqualTypeOf<boolean>();
    expectTypeOf(dict.compareAndSet('k', 1, 2, limit)).toEqualTypeOf<boolean>();
    expectTypeOf(dict.delete('k', { timeout: 5 })).toEqualTypeOf<boolean>();
    // @ts-expect-error a deletion has no time to live
    dict.delete('k', { ttl: 5 });
    // @ts-expect-error a change cannot be aborted
    dict.set('k', 1, { signal: new AbortController().signal });
    expectTypeOf(SharedDict.create().get('k')).toEqualTypeOf<unknown>();
    // @ts-expect-error a dict of numbers
    dict.set('k', 'text');
    // @ts-expect-error keys are strings
    dict.set(1, 1);
    // @ts-expect-error no such eviction
    SharedDict.create({ eviction: 'fifo' });
  });
});

describe('a manager', () => {
  it('gives each kind as its class', () => {
    const manager = Manager.create({ name: 'x' });
    expectTypeOf(manager.dict<number>('d').get('k')).toEqualTypeOf<number | undefined>();
    expectTypeOf(manager.list<string>()).toEqualTypeOf<SharedList<string>>();
    expectTypeOf(manager.value('v', { type: 'int64' })).toEqualTypeOf<SharedValue<'int64'>>();
    expectTypeOf(manager.lock('l')).toEqualTypeOf<NamedLock>();
    expectTypeOf(manager.env()).toEqualTypeOf<Record<string, string>>();
    expectTypeOf(Manager.fromEnv()).toExtend<Disposable>();
    // @ts-expect-error names are strings
    manager.dict(5);
    // @ts-expect-error no such option
    manager.list('x', { size: 1 });
  });
});

type Method = (...args: never[]) => unknown;
type KeysOf<T> = Exclude<keyof T, symbol>;
type Result<M> = M extends (...args: never[]) => infer R ? Awaited<R> : never;

/**
 * Verbs whose promise does not resolve with what they return here, but with an object that has verbs
 * itself.
 */
type Turned<T> = {
  [K in KeysOf<T> & keyof Promised<T>]: T[K] extends Method
    ? [Result<T[K]>, Result<Promised<T>[K]>] extends [Result<Promised<T>[K]>, Result<T[K]>]
      ? never
      : K
    : never;
}[KeysOf<T> & keyof Promised<T>];

/** Properties that do not belong to the handle, and have not become methods. */
type Stuck<T> = {
  [K in Exclude<KeysOf<T> & keyof Promised<T>, OfHandle>]: Promised<T>[K] extends Method
    ? never
    : K;
}[Exclude<KeysOf<T> & keyof Promised<T>, OfHandle>];

/** Blocking verbs without a counterpart that does the same under `await`. */
type Lone<T> = {
  [K in KeysOf<T> & Blocking]: K extends `${infer Twin}Sync`
    ? Twin extends keyof T
      ? [Result<T[Twin]>, Result<T[K]>] extends [Result<T[K]>, Result<T[Twin]>]
        ? never
        : K
      : K
    : never;
}[KeysOf<T> & Blocking];

type IsMemory<X> = X extends ArrayBufferLike | ArrayBufferView ? true : never;
type Involved<M> = M extends (...args: infer A) => infer R ? A[number] | Awaited<R> : M;

/** Members that take or return memory itself, and not data. */
type Leaking<T> = {
  [K in KeysOf<T>]: true extends IsMemory<Involved<T[K]>> ? K : never;
}[KeysOf<T>];

/** Everything that another engine could provide. The properties of namespaces are a separate case. */
interface Kinds {
  dict: SharedDict;
  list: SharedList;
  queue: SharedQueue;
  value: SharedValue;
  lock: NamedLock;
  rlock: NamedRLock;
  rwlock: NamedRWLock;
  semaphore: NamedSemaphore;
  event: NamedEvent;
  condition: NamedCondition;
  barrier: NamedBarrier;
  manager: Manager;
}

describe('the classes of a manager, by promises,', () => {
  it('give what they give here, themselves, what is iterated and what is to be let go', () => {
    expectTypeOf<Turned<SharedDict<number>>>().toEqualTypeOf<
      'set' | 'keys' | 'values' | 'entries'
    >();
    expectTypeOf<Turned<SharedList<number>>>().toEqualTypeOf<'keys' | 'values' | 'entries'>();
    expectTypeOf<Turned<SharedQueue<number>>>().toEqualTypeOf<
      'take' | 'tryTake' | 'takeMany' | 'tryTakeMany' | 'items'
    >();
    expectTypeOf<Turned<SharedNamespace>>().toBeNever();
    expectTypeOf<Turned<SharedValue<'int32'>>>().toBeNever();
    expectTypeOf<Turned<NamedLock>>().toEqualTypeOf<'acquire' | 'tryAcquire'>();
    expectTypeOf<Turned<NamedRLock>>().toEqualTypeOf<'acquire' | 'tryAcquire'>();
    expectTypeOf<Turned<NamedSemaphore>>().toEqualTypeOf<'acquire' | 'tryAcquire'>();
    expectTypeOf<Turned<NamedRWLock>>().toEqualTypeOf<
      'acquireRead' | 'acquireWrite' | 'tryAcquireRead' | 'tryAcquireWrite'
    >();
    expectTypeOf<Turned<NamedEvent>>().toBeNever();
    expectTypeOf<Turned<NamedCondition>>().toBeNever();
    expectTypeOf<Turned<NamedBarrier>>().toBeNever();
    expectTypeOf<Turned<Manager>>().toBeNever();
  });

  it('have methods for their properties, and async protocols for the others', () => {
    type Dict = Promised<SharedDict<number>>;
    type Queue = Promised<SharedQueue<number>>;
    expectTypeOf<Dict['size']>().toEqualTypeOf<() => Promise<number>>();
    expectTypeOf<Dict['name']>().toEqualTypeOf<string>();
    expectTypeOf<Dict>().toExtend<AsyncIterable<[string, number]> & AsyncDisposable>();
    expectTypeOf<ReturnType<Dict['keys']>>().toExtend<AsyncIterable<string>>();
    expectTypeOf<Queue>().toExtend<AsyncIterable<number>>();
    expectTypeOf<Result<Queue['take']>['value']>().toEqualTypeOf<number>();
    expectTypeOf<ReturnType<Result<Queue['take']>['ack']>>().toEqualTypeOf<Promise<void>>();
    expectTypeOf<Result<Promised<NamedLock>['acquire']>['abandoned']>().toEqualTypeOf<boolean>();
    expectTypeOf<Promised<SharedNamespace<{ rate: number }>>['values']>().toEqualTypeOf<
      Properties<{ rate: number }>
    >();
    expectTypeOf<{ [K in keyof Kinds]: Stuck<Kinds[K]> }[keyof Kinds]>().toBeNever();
    // @ts-expect-error blocking verbs are not promised
    assertType<keyof Queue>('getSync');
  });

  it('have a twin of every verb that blocks', () => {
    expectTypeOf<{ [K in keyof Kinds]: Lone<Kinds[K]> }[keyof Kinds]>().toBeNever();
    expectTypeOf<Lone<SharedNamespace>>().toBeNever();
    expectTypeOf<Lone<{ getSync(): number; get(): Promise<string> }>>().toEqualTypeOf<'getSync'>();
  });

  it('take and give data and functions, and memory only where they say so', () => {
    expectTypeOf<{ [K in keyof Kinds]: Leaking<Kinds[K]> }[keyof Kinds]>().toBeNever();
    expectTypeOf<Leaking<SharedNamespace>>().toBeNever();
    expectTypeOf<Leaking<SharedArray>>().toEqualTypeOf<'array' | 'slice'>();
    expectTypeOf<Leaking<SharedMemory>>().toEqualTypeOf<'buffer' | 'array' | 'read' | 'write'>();
  });
});

describe('the classes', () => {
  it('are what every engine promises', () => {
    expectTypeOf<Lock>().toExtend<contract.Lock>();
    expectTypeOf<SharedDict<number>>().toExtend<contract.Dict<number>>();
    expectTypeOf<SharedList<number>>().toExtend<contract.List<number>>();
    expectTypeOf<SharedQueue<number>>().toExtend<contract.Queue<number>>();
    expectTypeOf<SharedValue<'int64'>>().toExtend<contract.Value<'int64'>>();
    expectTypeOf<SharedArray<'int64'>>().toExtend<contract.NumberArray<'int64'>>();
    expectTypeOf<SharedNamespace>().toExtend<contract.Namespace>();
    expectTypeOf<NamedLock>().toExtend<contract.Named>();
    expectTypeOf(Manager.open('x').dict<number>()).toExtend<contract.Dict<number>>();
    expectTypeOf(Manager.open('x').list<number>()).toExtend<contract.List<number>>();
    expectTypeOf(Manager.open('x').queue<number>()).toExtend<contract.Queue<number>>();
    const served = async (dict: contract.Dict<number>) => {
      expectTypeOf(await dict.get('x')).toEqualTypeOf<number | undefined>();
      for await (const [key, value] of dict.entries()) assertType<[string, number]>([key, value]);
    };
    void served(SharedDict.open<number>('x'));
  });
});

describe('handles', () => {
  it('come back as their class', () => {
    expectTypeOf(attach({} as SharedMemoryHandle)).toEqualTypeOf<SharedMemory>();
    expectTypeOf(attach({} as NamedLockHandle)).toEqualTypeOf<NamedLock>();
    expectTypeOf(attach({} as ShareableListHandle)).toEqualTypeOf<ShareableList>();
    expectTypeOf(attach({} as NamedRLockHandle)).toEqualTypeOf<NamedRLock>();
    expectTypeOf(attach({} as NamedSemaphoreHandle)).toEqualTypeOf<NamedSemaphore>();
    expectTypeOf(attach({} as NamedEventHandle)).toEqualTypeOf<NamedEvent>();
    expectTypeOf(attach({} as NamedConditionHandle)).toEqualTypeOf<NamedCondition>();
    expectTypeOf(attach({} as NamedBarrierHandle)).toEqualTypeOf<NamedBarrier>();
    expectTypeOf(attach({} as NamedRWLockHandle)).toEqualTypeOf<NamedRWLock>();
    expectTypeOf(attach({} as SharedValueHandle)).toEqualTypeOf<SharedValue>();
    expectTypeOf(attach({} as SharedArrayHandle)).toEqualTypeOf<SharedArray>();
    expectTypeOf(attach({} as SharedNamespaceHandle)).toEqualTypeOf<SharedNamespace>();
    expectTypeOf(attach({} as SharedQueueHandle)).toEqualTypeOf<SharedQueue>();
    expectTypeOf(attach({} as SharedDictHandle)).toEqualTypeOf<SharedDict>();
    expectTypeOf(attach({} as SharedListHandle)).toEqualTypeOf<SharedList>();
    expectTypeOf(attach({} as SharedObjectHandle)).toEqualTypeOf<SharedObject>();
    expectTypeOf(attach({} as ManagerHandle)).toEqualTypeOf<Manager>();
    expectTypeOf(attach({} as Handle)).toEqualTypeOf<
      | SharedMemory
      | ShareableList
      | SharedValue
      | SharedArray
      | SharedNamespace
      | SharedQueue
      | SharedDict
      | SharedList
      | SharedObject
      | Manager
      | NamedLock
      | NamedRLock
      | NamedSemaphore
      | NamedEvent
      | NamedCondition
      | NamedBarrier
      | NamedRWLock
    >();
    // @ts-expect-error its properties cannot be assigned
    SharedDict.attach('x').shmkit = 'dict';
    const message = {} as { job: SharedDictHandle<number>; more: [SharedValueHandle<'int8'>, 5] };
    expectTypeOf(attachAll(message)).toEqualTypeOf<{
      job: SharedDict<number>;
      more: [SharedValue<'int8'>, 5];
    }>();
    expectTypeOf(attachAll(new Map<string, NamedLockHandle>())).toEqualTypeOf<
      Map<string, NamedLock>
    >();
    expectTypeOf(attachAll(new Date())).toEqualTypeOf<Date>();
    expectTypeOf(attachAll<unknown>({})).toBeUnknown();
    expectTypeOf<Attached<NamedEventHandle | NamedLockHandle>>().toEqualTypeOf<
      NamedEvent | NamedLock
    >();
    expectTypeOf(SharedMemory.attach('x').toJSON()).toEqualTypeOf<SharedMemoryHandle>();
    // @ts-expect-error not a handle
    attach({ name: 'x' });
    // @ts-expect-error no such kind
    attach({ shmkit: 'mutex', name: 'x' });
  });
});

describe('what is shared', () => {
  it('is its own handle, of its own type', () => {
    const dict = SharedDict.open<number>('x');
    assertType<SharedDictHandle<number>>(dict.toJSON());
    assertType<Handle>(dict);
    expectTypeOf(attach(dict)).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf(attach(structuredClone(dict))).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf(attach(dict.toJSON())).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf(attach(NamedLock.open('x'))).toEqualTypeOf<NamedLock>();
    expectTypeOf(attach(SharedMemory.attach('x'))).toEqualTypeOf<SharedMemory>();
    expectTypeOf(attach(Manager.attach('x'))).toEqualTypeOf<Manager>();
    expectTypeOf(attach(ShareableList.attach('x'))).toEqualTypeOf<ShareableList>();
    expectTypeOf(attach({ shmkit: 'lock', name: 'x' })).toEqualTypeOf<NamedLock>();
    expectTypeOf(attach({ shmkit: 'dict', name: 'x' })).toEqualTypeOf<SharedDict>();
  });

  it('keeps the type of what is in it', () => {
    const sent: Handle = { shmkit: 'dict', name: 'x' };
    expectTypeOf(attach(sent as SharedDictHandle<number>)).toEqualTypeOf<SharedDict<number>>();
    expectTypeOf(attach({} as SharedDictHandle<number | undefined>)).toEqualTypeOf<
      SharedDict<number | undefined>
    >();
    expectTypeOf(attach({} as SharedListHandle<string>)).toEqualTypeOf<SharedList<string>>();
    expectTypeOf(attach({} as SharedQueueHandle<string[]>)).toEqualTypeOf<SharedQueue<string[]>>();
    expectTypeOf(attach({} as SharedNamespaceHandle<{ n: 1 }>)).toEqualTypeOf<
      SharedNamespace<{ n: 1 }>
    >();
    expectTypeOf(attach({} as SharedValueHandle<'int64'>)).toEqualTypeOf<SharedValue<'int64'>>();
    expectTypeOf(attach({} as SharedArrayHandle<'int8'>)).toEqualTypeOf<SharedArray<'int8'>>();
    const object = SharedObject.create({ from: { n: 1, bytes: new Uint8Array(4) } });
    expectTypeOf(attach(object.toJSON()).value.n).toBeNumber();
    expectTypeOf(attach(structuredClone(object))).toEqualTypeOf(object);
    expectTypeOf(SharedObject.attach('x').value).toBeUnknown();
    const draft = SharedObject.allocate({ size: 8, name: 'x', mode: 0o600, handOver: true });
    expectTypeOf(draft.seal({ bytes: draft.buffer }).value.bytes).toEqualTypeOf<ArrayBuffer>();
    expectTypeOf(Manager.attach('x').object([1]).value).toEqualTypeOf<number[]>();
    // @ts-expect-error a handle of another type
    assertType<SharedDictHandle<string>>(SharedDict.open<number>('x').toJSON());
    // @ts-expect-error it is created by static methods only
    new SharedQueue();
  });
});

describe('errors', () => {
  it('have codes that complete', () => {
    expectTypeOf<ErrorCode>().toExtend<SharedMemoryError['code']>();
    expectTypeOf<SharedMemoryError['syscall']>().toEqualTypeOf<string | undefined>();
  });
});

/** The optional properties that may be left out, and may not be undefined. */
type Refusing<T> = {
  [K in keyof T]-?: object extends Pick<T, K>
    ? undefined extends Required<T>[K]
      ? never
      : K
    : never;
}[keyof T];

describe('options', () => {
  it('may be undefined where they can be left out, as a program passes its own options on', () => {
    expectTypeOf<Refusing<{ a?: 1; b: 2; c?: 3 | undefined }>>().toEqualTypeOf<'a'>();
    type All = [
      Refusing<ChangeOptions>,
      Refusing<CreateOptions>,
      Refusing<EntryChangeOptions>,
      Refusing<ErrorDetails>,
      Refusing<GetOrSetOptions>,
      Refusing<GetOrSetSyncOptions>,
      Refusing<ItemsOptions>,
      Refusing<IterationOptions>,
      Refusing<ManagerCreateOptions>,
      Refusing<ManagerOptions>,
      Refusing<NamedBarrierCreateOptions>,
      Refusing<NamedBarrierHandleOptions>,
      Refusing<NamedBarrierOptions>,
      Refusing<NamedConditionCreateOptions>,
      Refusing<NamedConditionOptions>,
      Refusing<NamedEventCreateOptions>,
      Refusing<NamedEventOptions>,
      Refusing<NamedLockCreateOptions>,
      Refusing<NamedLockOptions>,
      Refusing<NamedRLockCreateOptions>,
      Refusing<NamedRLockOptions>,
      Refusing<NamedRWLockCreateOptions>,
      Refusing<NamedRWLockOptions>,
      Refusing<NamedSemaphoreCreateOptions>,
      Refusing<NamedSemaphoreOptions>,
      Refusing<OpenOptions>,
      Refusing<ShareableListAttachOptions>,
      Refusing<ShareableListCreateOptions>,
      Refusing<ShareableListOpenOptions>,
      Refusing<SharedArrayAttachOptions<'int8'>>,
      Refusing<SharedArrayOptions<'int8'>>,
      Refusing<SharedDictCreateOptions>,
      Refusing<SharedDictOptions>,
      Refusing<SharedListCreateOptions>,
      Refusing<SharedListOptions>,
      Refusing<SharedMemoryAttachOptions>,
      Refusing<SharedMemoryCreateOptions>,
      Refusing<SharedMemoryOpenOptions>,
      Refusing<SharedNamespaceCreateOptions>,
      Refusing<SharedNamespaceOptions>,
      Refusing<SharedObjectAllocateOptions>,
      Refusing<SharedObjectAttachOptions>,
      Refusing<SharedObjectCreateOptions<1>>,
      Refusing<SharedQueueCreateOptions>,
      Refusing<SharedQueueOptions>,
      Refusing<SharedValueAttachOptions<'int8'>>,
      Refusing<SharedValueCreateOptions<'int8'>>,
      Refusing<SharedValueOptions<'int8'>>,
      Refusing<StructureCreateOptions>,
      Refusing<StructureOptions>,
      Refusing<TimeoutOptions>,
      Refusing<TtlOptions>,
      Refusing<WaitOptions>,
    ];
    expectTypeOf<All[number]>().toEqualTypeOf<never>();
  });
});
