import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { constants } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { fixturePath, start } from '../../support/children';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onLinux } from '../../support/system';

const nobody = 65534;

/** This needs a second user who may run node and read the fixtures. */
const secondUser =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ['--check', fixturePath('surroundings/denied')], {
    uid: nobody,
    gid: nobody,
  }).status === 0;

describe('sizes', () => {
  const bad: [unknown, string][] = [
    [0, 'ERR_OUT_OF_RANGE'],
    [-1, 'ERR_OUT_OF_RANGE'],
    [1.5, 'ERR_OUT_OF_RANGE'],
    [NaN, 'ERR_OUT_OF_RANGE'],
    [Infinity, 'ERR_OUT_OF_RANGE'],
    [2 ** 53, 'ERR_OUT_OF_RANGE'],
    [2 ** 47 + 1, 'ERR_OUT_OF_RANGE'],
    ['4096', 'ERR_INVALID_ARG_TYPE'],
    [4096n, 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'ERR_INVALID_ARG_TYPE'],
  ];

  it.each(bad)('of %s are refused', (size, code) => {
    const name = uniqueName();
    expectCode(() => SharedMemory.create({ name, size: size as number }), code, 'size');
    expectCode(() => SharedMemory.open(name, { size: size as number }), code, 'size');
  });

  it('beyond what the system can map or hold are refused by the system', () => {
    const name = uniqueName();
    const huge = 2 ** 47;
    let code: string | undefined;
    try {
      SharedMemory.create({ name, size: huge });
    } catch (error) {
      code = (error as NodeJS.ErrnoException).code;
      expect((error as Error).message).toContain(name);
    }
    expect(['ENOSPC', 'ENOMEM', 'EFBIG', 'EINVAL']).toContain(code);
  });

  // Addresses on arm64 have one more bit, so a range of this size can be had there.
  it.skipIf(process.arch === 'arm64')('beyond all addresses are refused, sparse or not', () => {
    const name = uniqueName();
    const create = () => SharedMemory.create({ name, size: 2 ** 47, sparse: true });
    expectCode(create, 'ENOMEM', name);
  });

  it('beyond what the runtime takes as a buffer can be read and written still', () => {
    const size = 2 ** 32 + 2 ** 20;
    using memory = SharedMemory.create({ size, sparse: true });
    memory.unlink();
    memory.write(size - 5, Buffer.from('hello'));
    expect(Buffer.from(memory.read(size - 5)).toString()).toBe('hello');
    if (size > constants.MAX_LENGTH) expectCode(() => memory.read(), 'ERR_OUT_OF_RANGE', 'length');
    if (size > (process.versions.node.startsWith('20.') ? 2 ** 32 : Infinity)) {
      expectCode(() => memory.buffer, 'ERR_ZERO_COPY_UNAVAILABLE', memory.name, /read\(\)/);
    }
  });
});

describe('options', () => {
  it('are objects of known keys', () => {
    expectCode(() => SharedMemory.create(undefined as never), 'ERR_INVALID_ARG_TYPE', 'options');
    expectCode(() => SharedMemory.create(4096 as never), 'ERR_INVALID_ARG_TYPE', 'options');
    const misspelt = { size: 1, nane: 'x' } as never;
    expectCode(() => SharedMemory.create(misspelt), 'ERR_INVALID_ARG_VALUE', 'nane', 'name');
    expectCode(
      () => SharedMemory.attach('x', { readonly: true } as never),
      'ERR_INVALID_ARG_VALUE',
    );
    expectCode(() => NamedLock.open('x', { size: 1 } as never), 'ERR_INVALID_ARG_VALUE', 'size');
  });

  it('have types and ranges', () => {
    const name = uniqueName();
    const create = (more: object) => () => SharedMemory.create({ name, size: 1, ...more });
    expectCode(create({ mode: 0o1000 }), 'ERR_OUT_OF_RANGE', 'mode');
    expectCode(create({ mode: '600' }), 'ERR_INVALID_ARG_TYPE', 'mode');
    expectCode(create({ sparse: 1 }), 'ERR_INVALID_ARG_TYPE', 'sparse');
    expectCode(() => NamedLock.create({ name, mode: -1 }), 'ERR_OUT_OF_RANGE', 'mode');
    expectCode(
      () => SharedMemory.attach(name, { readOnly: 'yes' as never }),
      'ERR_INVALID_ARG_TYPE',
      'readOnly',
    );
  });

  it('of waiting are checked before anything is waited for', async () => {
    using lock = NamedLock.create();
    lock.unlink();
    for (const [timeout, code] of [
      [-1, 'ERR_OUT_OF_RANGE'],
      [NaN, 'ERR_OUT_OF_RANGE'],
      ['1', 'ERR_INVALID_ARG_TYPE'],
    ] as [never, string][]) {
      expectCode(() => lock.acquireSync({ timeout }), code, 'timeout');
      await expectRejection(lock.acquire({ timeout }), code, 'timeout');
    }
    await expectRejection(lock.acquire({ signal: {} as never }), 'ERR_INVALID_ARG_TYPE', 'signal');
    const unknown = { signal: undefined } as never;
    expectCode(() => lock.acquireSync(unknown), 'ERR_INVALID_ARG_VALUE', 'signal');
  });
});

describe.runIf(onLinux)('what bears the name', () => {
  it('may be an empty file', () => {
    const name = uniqueName();
    writeFileSync(`/dev/shm/${name}`, '');
    expectCode(() => SharedMemory.attach(name), 'EINVAL', name, 'no bytes');
    SharedMemory.unlink(name);
  });

  it('may be a directory or a link', () => {
    const name = uniqueName();
    mkdirSync(`/dev/shm/${name}`);
    expectCode(() => SharedMemory.attach(name), 'EISDIR', name);
    expectCode(() => SharedMemory.create({ name, size: 1 }), 'EEXIST', name);
    rmdirSync(`/dev/shm/${name}`);
    symlinkSync('/etc/passwd', `/dev/shm/${name}`);
    expectCode(() => SharedMemory.attach(name, { readOnly: true }), 'ELOOP', name);
    unlinkSync(`/dev/shm/${name}`);
  });
});

describe.runIf(onLinux && secondUser)('permission (takes root, and a second user)', () => {
  it('is denied to others, and says so', async () => {
    using memory = SharedMemory.create({ size: 8, mode: 0o600 });
    using lock = NamedLock.create({ name: memory.name });
    const child = start('surroundings/denied', [memory.name], { uid: nobody });
    expect(await child.hear()).toEqual({
      attach: 'EACCES',
      attachReadOnly: 'EACCES',
      lockAttach: 'EACCES',
      lockOpen: 'EACCES',
      unlink: expect.stringMatching(/^(EACCES|EPERM)$/) as string,
      lockUnlink: 'EACCES',
    });
    await child.succeed();
    memory.unlink();
    lock.unlink();
  });

  it('to use a lock is not permission to unlink it, and trying harms nobody', async () => {
    using lock = NamedLock.create({ mode: 0o666 });
    using memory = SharedMemory.create({ name: lock.name, size: 1 });
    const child = start('surroundings/denied', [lock.name], { uid: nobody });
    expect(await child.hear()).toMatchObject({
      lockAttach: 'fine',
      lockUnlink: expect.stringMatching(/^(EACCES|EPERM)$/) as string,
    });
    await child.succeed();
    lock.acquireSync().release();
    NamedLock.attach(lock.name).close();
    lock.unlink();
    memory.unlink();
  });

  it('to read is enough for a read-only attach', async () => {
    using memory = SharedMemory.create({ size: 8, mode: 0o644 });
    using lock = NamedLock.create({ name: memory.name });
    const child = start('surroundings/denied', [memory.name], { uid: nobody });
    expect(await child.hear()).toMatchObject({ attach: 'EACCES', attachReadOnly: 'fine' });
    await child.succeed();
    memory.unlink();
    lock.unlink();
  });
});
