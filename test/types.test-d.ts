import { assertType, describe, expectTypeOf, it } from 'vitest';
import {
  NamedLock,
  SharedMemory,
  SharedMemoryError,
  attach,
  type ErrorCode,
  type Handle,
  type LockGuard,
  type NamedLockHandle,
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

describe('handles', () => {
  it('come back as their class', () => {
    expectTypeOf(attach({} as SharedMemoryHandle)).toEqualTypeOf<SharedMemory>();
    expectTypeOf(attach({} as NamedLockHandle)).toEqualTypeOf<NamedLock>();
    expectTypeOf(attach({} as Handle)).toEqualTypeOf<SharedMemory | NamedLock>();
    expectTypeOf(SharedMemory.attach('x').toJSON()).toEqualTypeOf<SharedMemoryHandle>();
  });
});

describe('errors', () => {
  it('have codes that complete', () => {
    expectTypeOf<ErrorCode>().toExtend<SharedMemoryError['code']>();
    expectTypeOf<SharedMemoryError['syscall']>().toEqualTypeOf<string | undefined>();
  });
});
