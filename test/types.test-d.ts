import { assertType, describe, expectTypeOf, it } from 'vitest';
import {
  NamedLock,
  ShareableList,
  SharedMemory,
  SharedMemoryError,
  attach,
  type ErrorCode,
  type Handle,
  type LockGuard,
  type NamedLockHandle,
  type ShareableListHandle,
  type ShareableValue,
  type SharedMemoryHandle,
} from 'shmkit';

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
    // @ts-expect-error its parts are not to be assigned
    SharedMemory.attach('x').name = 'y';
    // @ts-expect-error it is made by its static methods
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
    expectTypeOf(lock.runExclusive(() => 'x')).toEqualTypeOf<Promise<string>>();
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
    // @ts-expect-error no element
    list.set(0, undefined);
    // @ts-expect-error no element
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

describe('handles', () => {
  it('come back as their class', () => {
    expectTypeOf(attach({} as SharedMemoryHandle)).toEqualTypeOf<SharedMemory>();
    expectTypeOf(attach({} as NamedLockHandle)).toEqualTypeOf<NamedLock>();
    expectTypeOf(attach({} as ShareableListHandle)).toEqualTypeOf<ShareableList>();
    expectTypeOf(attach({} as Handle)).toEqualTypeOf<SharedMemory | NamedLock | ShareableList>();
    expectTypeOf(SharedMemory.attach('x').toJSON()).toEqualTypeOf<SharedMemoryHandle>();
  });
});

describe('errors', () => {
  it('have codes that complete', () => {
    expectTypeOf<ErrorCode>().toExtend<SharedMemoryError['code']>();
    expectTypeOf<SharedMemoryError['syscall']>().toEqualTypeOf<string | undefined>();
  });
});
