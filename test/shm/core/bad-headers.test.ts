// Bytes in shared memory are input: the object under a lock's name may contain anything.
import { readFileSync, writeFileSync } from 'node:fs';
import { NamedBarrier, NamedLock, NamedRWLock, NamedSemaphore, SharedQueue } from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Acquired, Disposition, ManagedAs, Refusal, native } from '../../../lib/shm/core/binding';
import { kindNumbers, layout } from '../../../lib/shm/core/layout';
import { End } from '../../../lib/shm/manager/state';
import { start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

describe.runIf(onLinux)('a lock whose file was written by others', () => {
  let name: string;
  let path: string;

  beforeEach(() => {
    name = uniqueName('lock');
    path = `/dev/shm/shmkit.lock.${name}`;
    NamedLock.create({ name }).close();
  });

  afterEach(() => {
    // An object without any bytes is not a lock of any version, so its name can be removed.
    writeFileSync(path, '');
    expectCode(() => NamedLock.attach(name), 'ERR_CORRUPT', name, '0 bytes');
    NamedLock.unlink(name);
  });

  /** Overwrites bytes in place, as another process would. */
  function poke(offset: number, ...words: number[]): void {
    const bytes = readFileSync(path);
    new Uint32Array(bytes.buffer, bytes.byteOffset + offset, words.length).set(words);
    writeFileSync(path, bytes, { flag: 'r+' });
  }

  function word(offset: number): number {
    return readFileSync(path).readUint32LE(offset);
  }

  function expectRefused(code: string, ...said: (string | RegExp)[]): void {
    expectCode(() => NamedLock.attach(name), code, name, ...said);
    expectCode(() => NamedLock.open(name), code, name, ...said);
    expectCode(() => NamedLock.create({ name }), 'EEXIST', name);
  }

  it('is refused when it is truncated', () => {
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expectRefused('ERR_CORRUPT', '100 bytes', String(layout.headerBytes));
  });

  it('is refused when it is none', () => {
    writeFileSync(path, Buffer.alloc(4096, 'x'));
    expectRefused('ERR_CORRUPT', /begin/, /unlink\(\)/);
  });

  it('is refused when it is all zeroes', () => {
    writeFileSync(path, Buffer.alloc(4096));
    expectRefused('ERR_CORRUPT', /finish/);
  });

  it('is refused when it is of another layout version', () => {
    poke(layout.versionAt, (kindNumbers.lock << 16) | 9);
    expectRefused('ERR_ABI_MISMATCH', 'version 9', `has ${layout.version}`);
    expectCode(() => NamedLock.unlink(name), 'ERR_ABI_MISMATCH', name);
  });

  it('is refused when its mutex is of another C library', () => {
    // The value for musl. The second byte says which C library it is.
    poke(layout.abiAt, (word(layout.abiAt) & ~0xff00) | (2 << 8));
    expectRefused('ERR_ABI_MISMATCH', /musl/, /glibc/);
    expectCode(() => NamedLock.unlink(name), 'ERR_ABI_MISMATCH', name);
  });

  it('is refused when it is of another kind', () => {
    poke(layout.versionAt, (7 << 16) | layout.version);
    expectRefused('ERR_WRONG_KIND', 'kind 7', `kind ${kindNumbers.lock}`);
  });

  it('is refused when its state is none there is', () => {
    poke(layout.stateAt, 77);
    expectRefused('ERR_CORRUPT');
  });

  it('can be unlinked when it is no lock of any version', () => {
    writeFileSync(path, Buffer.alloc(4096, 'x'));
    NamedLock.unlink(name);
    expectCode(() => NamedLock.attach(name), 'ENOENT', name);
    NamedLock.create({ name }).close();
  });

  it('is an error, not a hang or a crash, when it is overwritten in use', async () => {
    using lock = NamedLock.attach(name);
    const whole = readFileSync(path);
    for (const fill of [0x00, 0xff, 0x5a]) {
      poke(layout.mutexAt, ...Array.from({ length: 16 }, () => fill * 0x01010101));
      expectCode(() => lock.acquireSync(), 'ERR_CORRUPT', name, /unlink/);
      expectCode(() => lock.acquireSync({ timeout: 10 }), 'ERR_CORRUPT', name);
      expectCode(() => lock.tryAcquire(), 'ERR_CORRUPT', name);
      await expectRejection(lock.acquire(), 'ERR_CORRUPT', name);
    }
    writeFileSync(path, whole, { flag: 'r+' });
    lock.acquireSync().release();
    poke(layout.stateAt, 99);
    expectCode(() => lock.acquireSync(), 'ERR_CORRUPT', name);
    writeFileSync(path, whole, { flag: 'r+' });
    lock.acquireSync().release();
  });

  it('is cleared when its unlinker died between marking it and removing the name', () => {
    poke(layout.stateAt, 3);
    expectCode(() => NamedLock.attach(name), 'ENOENT', name);
    NamedLock.open(name).close();
  });

  it('survives bytes flipped anywhere before it is opened', async () => {
    const whole = readFileSync(path);
    const child = start('structure/header-fuzz', [name, path, [...whole]]);
    expect(await child.hear()).toEqual({ rounds: 256 * 3 });
    await child.succeed();
    NamedLock.open(name).close();
  });
});

/** Objects in which this thread participates without holding anything of them. */
const partakes: Record<string, (name: string) => { close(): void; unlink(): void }> = {
  semaphore: (name) => {
    const semaphore = NamedSemaphore.create({ name });
    semaphore.acquireSync().release();
    return semaphore;
  },
  barrier: (name) => {
    const barrier = NamedBarrier.create({ name, parties: 2 });
    expectCode(() => barrier.waitSync({ timeout: 1 }), 'ERR_TIMEOUT');
    return barrier;
  },
  rwlock: (name) => {
    const lock = NamedRWLock.create({ name });
    lock.acquireReadSync().release();
    return lock;
  },
  queue: (name) => {
    const queue = SharedQueue.create({ name });
    queue.putSync(1);
    queue.takeSync().ack();
    return queue;
  },
};

describe.runIf(onLinux)('an object whose lock is overwritten under who takes part', () => {
  it.each(Object.keys(partakes))('is closed as ever: a %s', (kind) => {
    const name = uniqueName(kind);
    const path = `/dev/shm/shmkit.${kind}.${name}`;
    const object = partakes[kind]!(name);
    const bytes = readFileSync(path);
    bytes.fill(0x5a, layout.mutexAt, layout.mutexAt + 64);
    writeFileSync(path, bytes, { flag: 'r+' });
    expect(() => object.close()).not.toThrow();
    object.unlink();
  });
});

describe('the layout', () => {
  it('is the same on both sides of the addon', () => {
    const { abi, ...ofNative } = native.layout;
    expect(ofNative).toEqual(layout);
    expect(abi).toBeTypeOf('number');
  });

  it('is spoken of in the same numbers', () => {
    const numbers = {
      'Acquired.Yes': Acquired.Yes,
      'Acquired.Abandoned': Acquired.Abandoned,
      'Acquired.Timeout': Acquired.Timeout,
      'Acquired.Gone': Acquired.Gone,
      'Acquired.Broken': Acquired.Broken,
      'Acquired.TooManyHeld': Acquired.TooManyHeld,
      'Acquired.Ended': Acquired.Ended,
      'Acquired.Shallow': Acquired.Shallow,
      'Disposition.Create': Disposition.Create,
      'Disposition.Attach': Disposition.Attach,
      'Disposition.Open': Disposition.Open,
      'Refusal.Truncated': Refusal.Truncated,
      'Refusal.Foreign': Refusal.Foreign,
      'Refusal.Version': Refusal.Version,
      'Refusal.Abi': Refusal.Abi,
      'Refusal.Kind': Refusal.Kind,
      'Refusal.Unfinished': Refusal.Unfinished,
      'ManagedAs.Memory': ManagedAs.Memory,
      'ManagedAs.Lock': ManagedAs.Lock,
      'ManagedAs.Object': ManagedAs.Object,
      'End.Not': End.Not,
      'End.Begun': End.Begun,
      'End.Done': End.Done,
    };
    expect(native.numbers).toEqual(numbers);
  });
});
