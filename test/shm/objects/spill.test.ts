// Objects for which there is no room in memory, and which are files in another directory.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SharedObject, sharing } from 'shmkit';
import { afterAll, describe, expect, it } from 'vitest';
import { start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { denying, whyNoDenials } from '../../support/denials';
import { after, tmpfs, whyNoMounts } from '../../support/mounts';
import { onLinux } from '../../support/system';

describe('the option', () => {
  it('has no effect where there is room', () => {
    using object = SharedObject.create({ from: 1, spill: tmpdir() });
    expect(object.name).toMatch(/^shm_/);
    using draft = SharedObject.allocate({ size: 10, spill: tmpdir() });
    draft.seal(2).close();
  });

  it.each([5, '', null, {}])('must be a directory, not %j', (spill) => {
    expectCode(
      () => SharedObject.create({ from: 1, spill: spill as string }),
      'ERR_INVALID_ARG_TYPE',
      'options.spill',
    );
    expectCode(() => sharing(() => 1, { spill: spill as string }), 'ERR_INVALID_ARG_TYPE');
  });
});

describe.runIf(onLinux)('a name with a directory', () => {
  it.each([
    ['file:/no/such/directory/name', 'ENOENT', 'directory /no/such/directory does not exist'],
    [`file:${tmpdir()}/name`, 'ENOENT', 'nobody holds it any more'],
    ['file:relative/name', 'EINVAL', "contains '/'"],
    [`file:${tmpdir()}/${'x'.repeat(300)}`, 'ENAMETOOLONG', 'maximum is 241'],
  ])('%s: %s', (name, code, said) => {
    expectCode(() => SharedObject.attach(name), code, said);
  });
});

describe.skipIf(whyNoMounts)(`where /dev/shm is too small (${whyNoMounts ?? 'root'})`, () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'spill-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const small = tmpfs('size=1m,mode=1777');
  const roomy = `mount -t tmpfs -o size=64m tmpfs ${directory}`;

  it.each([
    ['a tmpfs', `${small} && ${roomy}`],
    ['the file system of temporary files', small],
  ])('objects go to %s, and all works there', async (_, commands) => {
    const child = start('objects/spills', ['values', directory], { under: after(commands) });
    const [names, used, files, result, left] = await child.hearAll();
    await child.succeed();
    expect(names).toEqual([
      `file:${directory}/mine`,
      expect.stringContaining(`file:${directory}/shm_`),
      expect.stringMatching(/^shm_/), // it only refers to the first
    ]);
    expect(used).toEqual([
      [3 << 20, 6 << 20, 10],
      [2, 2, 2],
    ]);
    expect(files).toBe(2);
    expect(result).toEqual([3 << 20, true]);
    expect(left).toEqual([]);
  });

  it('what killed processes have left goes', async () => {
    const under = after(`${small} && ${roomy}`);
    const child = start('objects/spills', ['kills', directory], { under });
    expect(await child.hearAll()).toEqual([2, 'ENOENT', 1, 0]);
    await child.succeed();
  });

  it('the objects in memory are looked at once in a second at most, if there is a directory', async () => {
    const child = start('objects/spills', ['sweeps', directory], {
      under: after(`${small} && ${roomy}`),
    });
    const [spilled, refused] = (await child.hearAll()) as [
      { looks: number; seconds: number },
      number,
    ];
    await child.succeed();
    expect(spilled.looks).toBeLessThanOrEqual(1 + Math.floor(spilled.seconds));
    expect(spilled.looks).toBeGreaterThan(0);
    expect(refused).toBe(20); // who gets an error otherwise looks each time
  });

  it.each([
    ['the directory is missing', small, '/no/such', 'ENOENT', 'directory /no/such does not exist'],
    ['it is a file', small, '/etc/passwd', 'ENOTDIR', '/etc/passwd is not a directory'],
    [
      'it is full as well',
      `${small} && mount -t tmpfs -o size=1m tmpfs ${directory}`,
      directory,
      'ENOSPC',
      `${directory} has no room for`,
    ],
    [
      'it cannot be written',
      `${small} && mount -t tmpfs -o ro tmpfs ${directory}`,
      directory,
      'EROFS',
      `${directory} is read-only`,
    ],
  ])('and %s: an error says both', async (_, commands, place, code, said) => {
    const child = start('objects/spills', ['complaints', place], { under: after(commands) });
    const complaints = (await child.hearAll()) as [string, string, string][];
    await child.succeed();
    expect(complaints).toHaveLength(2);
    for (const complaint of complaints) {
      expect(complaint[0]).toMatch(code);
      expect(complaint[1]).toContain(said);
      expect(complaint[2]).toBe('ENOSPC');
    }
  });

  it('processes with another /dev/shm can neither attach nor remove anything', async () => {
    using object = SharedObject.create({ name: `file:${directory}/mine`, from: 1 });
    const child = start('objects/spills', ['strangers', directory], { under: after(small) });
    const [code, message, left] = await child.hearAll();
    await child.succeed();
    expect([code, left]).toEqual(['ENOTSUP', ['shmkit.object.mine']]);
    expect(message).toContain('another /dev/shm');
    expect(object.holders).toBe(1);
    expect(readdirSync(directory)).toEqual(['shmkit.object.mine']);
  });

  it.skipIf(whyNoDenials).each([
    ['EPERM', 1, 'ENOTSUP'],
    ['ENOENT', 2, 'ENOTSUP'],
    ['EINVAL', 22, 'ENOTSUP'],
    ['EOPNOTSUPP', 95, 'ENOTSUP'],
    ['EIO', 5, 'EIO'],
    ['EACCES', 13, 'EACCES'],
    ['EMFILE', 24, 'EMFILE'],
    ['ENOSPC', 28, 'ENOSPC'],
    ['EDQUOT', 122, 'EDQUOT'],
  ])('and a directory gives no names: %s', async (_, number, code) => {
    const under = [...after(`${small} && ${roomy}`), ...denying(`name-unnamed:${number}`)];
    const child = start('objects/spills', ['names', directory], { under });
    const [create, seal, last, left] = (await child.hearAll()) as [string[], string[], 3, []];
    await child.succeed();
    expect(create[0]).toBe(code);
    expect(create[2]).toBe('ENOSPC'); // why it was to be there
    expect(seal[0]).toBe(code);
    for (const [, message] of [create, seal]) expect(message).not.toContain('undefined');
    expect([last, left]).toEqual([3, []]);
  });

  it.skipIf(whyNoDenials)('the directory must have unnamed files', async () => {
    const under = [...after(small), ...denying('unnamed:95')];
    const child = start('objects/spills', ['complaints', directory], { under });
    const [complaint, draft] = (await child.hearAll()) as [string[], string];
    await child.succeed();
    expect(complaint).toEqual([
      'ENOTSUP',
      expect.stringContaining(`the file system at ${directory} has no unnamed files`),
      'ENOSPC',
    ]);
    expect(draft).toBe('fine'); // it is ordinary memory until it is sealed
  });
});
