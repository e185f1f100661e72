import { NamedLock, SharedMemory } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { nameLimitBytes, onWindows, segmentNameBytes } from '../../support/system';

const users = [
  ['SharedMemory.create', (name: never) => SharedMemory.create({ name, size: 1 })],
  ['SharedMemory.attach', (name: never) => SharedMemory.attach(name)],
  ['SharedMemory.open', (name: never) => SharedMemory.open(name, { size: 1 })],
  ['SharedMemory.unlink', (name: never) => SharedMemory.unlink(name)],
  ['NamedLock.create', (name: never) => NamedLock.create({ name })],
  ['NamedLock.attach', (name: never) => NamedLock.attach(name)],
  ['NamedLock.open', (name: never) => NamedLock.open(name)],
  ['NamedLock.unlink', (name: never) => NamedLock.unlink(name)],
] as const;

const bad: [string, unknown, string, RegExp][] = [
  ['empty', '', 'EINVAL', /empty/],
  ['the directory', '.', 'EINVAL', /"\.".*directory/],
  ['the directory above', '..', 'EINVAL', /"\.\.".*directory/],
  ['a path', 'a/b', 'EINVAL', /"a\/b".*'\/'/],
  ['a leading slash', '/a', 'EINVAL', /"\/a".*'\/'/],
  ['a NUL', 'nul\0x', 'EINVAL', /NUL/],
  ['half a character', 'x\ud800', 'EINVAL', /surrogate/],
  ['too long', 'x'.repeat(256), 'ENAMETOOLONG', /256 bytes/],
  ['too long in bytes alone', '漢'.repeat(86), 'ENAMETOOLONG', /258 bytes/],
  ['a number', 7, 'ERR_INVALID_ARG_TYPE', /name must be a string, not 7/],
  ['null', null, 'ERR_INVALID_ARG_TYPE', /not null/],
  ['an object', {}, 'ERR_INVALID_ARG_TYPE', /Object/],
  ['a symbol', Symbol('x'), 'ERR_INVALID_ARG_TYPE', /symbol/],
];

describe.each(users)('%s', (_, use) => {
  it.each(bad)('refuses a name that is %s', (_what, name, code, message) => {
    expectCode(() => use(name as never), code, message);
  });
});

describe('names', () => {
  it('that the library needs for itself are not for plain segments', () => {
    const name = 'shmkit.lock.x';
    expectCode(() => SharedMemory.create({ name, size: 1 }), 'EINVAL', name, 'shmkit.');
    expectCode(() => SharedMemory.attach(name), 'EINVAL', name);
    expectCode(() => SharedMemory.unlink(name), 'EINVAL', name);
  });

  it('that differ at their end only are of different objects, however long', () => {
    const long = 'n'.repeat(nameLimitBytes - 'shmkit.lock.'.length - 1);
    using one = NamedLock.create({ name: `${long}1` });
    using other = NamedLock.create({ name: `${long}2` });
    one.acquireSync();
    expect(other.locked).toBe(false);
    using again = NamedLock.attach(`${long}1`);
    expect(again.locked).toBe(true);
    one.release();
    for (const lock of [one, other]) lock.unlink();
  });

  it('may be as long as the system allows, and in any script', () => {
    const odd = onWindows ? 'a b\n\t"\'' : 'a b\n\t"\'\\';
    for (const name of [
      'n'.repeat(segmentNameBytes),
      '漢'.repeat(Math.floor(segmentNameBytes / 3)),
      odd,
      '🦀',
      '…',
    ]) {
      using memory = SharedMemory.create({ name, size: 1 });
      using again = SharedMemory.attach(name);
      expect(again.name).toBe(name);
      memory.unlink();
    }
    const most = nameLimitBytes - 'shmkit.lock.'.length;
    for (const name of ['n'.repeat(most), '🔒']) {
      using lock = NamedLock.create({ name });
      lock.acquireSync().release();
      lock.unlink();
    }
    expectCode(() => NamedLock.create({ name: 'n'.repeat(most + 1) }), 'ENAMETOOLONG', `${most}`);
  });
});
