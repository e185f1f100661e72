// Systems where /dev/shm is missing, unusual or too small. What is possible works. The error for what is
// not possible says what is missing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Complaint, Outcome } from '../../fixtures/surroundings/surroundings';
import { fixturePath, start, type Child } from '../../support/children';
import { denying, whyNoDenials } from '../../support/denials';
import { after, tmpfs, whyNoMounts } from '../../support/mounts';
import { uniqueName } from '../../support/names';

interface Found {
  outcomes: Record<string, Outcome>;
  left?: string[];
}

const creating = [
  'memory.create',
  'memory.open',
  'array.create',
  'lock.create',
  'lock.open',
  'semaphore.open',
  'dict.open',
  'object.create',
  'object.allocate',
  'manager.create',
  'manager.open',
];
const attaching = [
  'memory.attach',
  'memory.attach read-only',
  'lock.attach',
  'dict.attach',
  'object.attach',
  'manager.attach',
];
const removing = ['memory.unlink', 'lock.unlink', 'object.unlink'];

/** Everything that is created stays, except what ended with its manager. */
const made = [
  'large',
  'made',
  'shmkit.array.made',
  'shmkit.dict.made',
  'shmkit.lock.made',
  'shmkit.semaphore.made',
];

const working = ['memory.create large', 'object.seal', ...creating].filter(
  (verb) => verb !== 'lock.create',
);

interface Listed {
  objects: string[];
  files: string[];
}

const isPresence = (file: string) => file.startsWith('shmkit.presence@');
const isUnfinished = (file: string) => file.startsWith('shmkit.unfinished@');

/** A /dev/shm that a group of processes shares. */
class Stage {
  readonly #keeper: Child;

  private constructor(keeper: Child) {
    this.#keeper = keeper;
  }

  static async of(commands: string): Promise<Stage> {
    const keeper = start('surroundings/keeps-mounts', [], { under: after(commands) });
    expect(await keeper.hear()).toBe('ready');
    return new Stage(keeper);
  }

  /** @param rules - the system calls that the kernel refuses the process. */
  start(fixture: string, args: unknown[] = [], ...rules: string[]): Child {
    const inside = ['nsenter', '--mount', '--wd=.', '--target', String(this.#keeper.process.pid)];
    return start(fixture, args, {
      under: [...inside, ...(rules.length > 0 ? denying(...rules) : [])],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper.kill();
  }
}

async function tryThere(verbs: string[], under: string[]): Promise<Found> {
  const child = start('surroundings/surroundings', [verbs], { under });
  const found = await child.hear<Found>();
  await child.succeed();
  return found;
}

const noProc = 'mount -t tmpfs tmpfs /proc';
/** A user without any permission that the owner has not given. */
const nobody = 65534;
const whyNoOther =
  whyNoMounts === undefined &&
  spawnSync(process.execPath, ['--check', fixturePath('surroundings/surroundings')], {
    uid: nobody,
    gid: nobody,
  }).status !== 0
    ? 'needs a checkout that another user may read'
    : undefined;

interface Case {
  readonly what: string;
  readonly commands: string;
  readonly user?: number;
  readonly verbs: readonly string[];
  readonly code: string;
  readonly syscalls?: readonly string[];
  readonly words: readonly string[];
}

const refusals: Case[] = [
  {
    what: 'there is no /dev/shm',
    commands: 'mount -t tmpfs tmpfs /dev',
    verbs: [...creating, ...attaching, ...removing, 'memory.list'],
    code: 'ENOENT',
    syscalls: ['open', 'opendir', 'unlink'],
    words: ['/dev/shm does not exist', 'mount a tmpfs'],
  },
  {
    what: '/dev/shm is a file',
    commands: 'mount -t tmpfs tmpfs /dev && touch /dev/shm',
    verbs: [...creating, ...attaching, ...removing, 'memory.list'],
    code: 'ENOTDIR',
    words: ['/dev/shm is not a directory'],
  },
  {
    what: '/dev/shm is read-only',
    commands: tmpfs('ro'),
    verbs: creating,
    code: 'EROFS',
    words: ['/dev/shm is read-only'],
  },
  {
    what: '/dev/shm is read-only, and there is something in it',
    commands:
      `${tmpfs('mode=1777')} && head -c 100 /dev/zero > /dev/shm/there && ` +
      'cp /dev/shm/there /dev/shm/shmkit.object.there && mount -o remount,ro /dev/shm',
    verbs: [
      'memory.attach',
      'memory.unlink',
      'memory.create',
      'object.create',
      'object.attach',
      'object.unlink',
    ],
    code: 'EROFS',
    words: ['/dev/shm is read-only', 'readOnly'],
  },
  {
    what: "/dev/shm is root's",
    commands: tmpfs('mode=0755'),
    user: nobody,
    verbs: creating,
    code: 'EACCES',
    syscalls: ['open'],
    words: ['/dev/shm', 'user 0 with mode 0755', `user ${nobody}`, 'chmod 1777'],
  },
  {
    what: "/dev/shm is root's, and there is something in it that is not",
    commands: `${tmpfs('mode=0755')} && head -c 100 /dev/zero > /dev/shm/there && chown ${nobody} /dev/shm/there`,
    user: nobody,
    verbs: ['memory.unlink'],
    code: 'EACCES',
    syscalls: ['unlink'],
    words: ['permission denied at /dev/shm', 'user 0 with mode 0755'],
  },
  {
    what: '/dev/shm lets nobody else in',
    commands: tmpfs('mode=0700'),
    user: nobody,
    verbs: [...creating, ...attaching, ...removing, 'memory.list'],
    code: 'EACCES',
    words: ['permission denied at /dev/shm', 'user 0 with mode 0700'],
  },
  {
    what: 'a segment is not for all',
    commands: `${tmpfs('mode=1777')} && head -c 100 /dev/zero > /dev/shm/there && chmod 640 /dev/shm/there`,
    user: nobody,
    verbs: ['memory.attach', 'memory.attach read-only'],
    code: 'EACCES',
    words: ['it belongs to user 0 with mode 0640', `this process is user ${nobody}`, 'umask'],
  },
  {
    what: "a sticky directory has somebody else's segment",
    commands: `${tmpfs('mode=1777')} && head -c 100 /dev/zero > /dev/shm/there && chmod 666 /dev/shm/there`,
    user: nobody,
    verbs: ['memory.unlink'],
    code: 'EPERM',
    words: ['user 0 with mode 0666', 'sticky'],
  },
  {
    what: 'a directory has the name',
    commands: `${tmpfs('mode=1777')} && mkdir /dev/shm/there`,
    verbs: ['memory.attach', 'memory.unlink'],
    code: 'EISDIR',
    words: ['not a shared memory object'],
  },
  {
    what: 'a socket has the name',
    // It ends by a signal, because at a normal end it would remove the name.
    commands:
      `${tmpfs('mode=1777')} && { "$1" -e 'require("net").createServer().listen("/dev/shm/there", ` +
      `() => process.kill(process.pid, "SIGKILL"))' || true; }`,
    verbs: ['memory.attach'],
    code: 'ENXIO',
    words: ['not a shared memory object'],
  },
  {
    what: '/dev/shm is full',
    commands: `${tmpfs('size=64k')} && head -c 65536 /dev/zero > /dev/shm/all`,
    verbs: creating,
    code: 'ENOSPC',
    words: ['/dev/shm has no room', '64 KiB in total, 0 bytes free', '--shm-size'],
  },
  {
    what: '/dev/shm is small',
    commands: tmpfs('size=64m'),
    verbs: ['memory.create larger than /dev/shm'],
    code: 'ENOSPC',
    syscalls: ['fallocate'],
    words: [
      'for 95.4 MiB (100000000 bytes)',
      '64 MiB in total, 64 MiB free',
      'nothing was created',
    ],
  },
  {
    what: 'a dict grows in a small /dev/shm',
    commands: tmpfs('size=1m'),
    verbs: ['dict.open'],
    code: 'ENOSPC',
    syscalls: ['fallocate'],
    words: ['/dev/shm has no room for', '1 MiB in total', 'nothing was changed'],
  },
  {
    what: 'a draft is larger than /dev/shm',
    commands: tmpfs('size=1m'),
    verbs: ['object.allocate large'],
    code: 'ENOSPC',
    syscalls: ['fallocate'],
    words: ['/dev/shm has no room for 3', '1 MiB in total, 1 MiB free', 'nothing was created'],
  },
  {
    what: '/dev/shm takes no more names',
    commands: `${tmpfs('nr_inodes=2')} && touch /dev/shm/there`,
    verbs: creating,
    code: 'ENOSPC',
    words: ['/dev/shm cannot hold more names', 'nr_inodes'],
  },
];

describe.skipIf(whyNoMounts)(`where something is missing (${whyNoMounts ?? 'root'})`, () => {
  it.for(refusals)('$what: $code', async (each, { skip }) => {
    const { commands, user, verbs, code, syscalls, words } = each;
    skip(user !== undefined && whyNoOther !== undefined, whyNoOther);
    const { outcomes } = await tryThere([...verbs], after(commands, user));
    expect(Object.keys(outcomes)).toEqual(verbs);
    for (const [verb, found] of Object.entries(outcomes)) {
      if (found === 'fine') throw new Error(`${verb} was done`);
      expect([verb, found.code]).toEqual([verb, code]);
      if (syscalls) expect(syscalls).toContain(found.syscall);
      expect(found.syscall).toMatch(/^[a-z]+$/);
      for (const word of words) expect(`${verb}: ${found.message}`).toContain(word);
      expect(found.message).not.toMatch(
        /create\(\) or open\(\) creates one|failed with|undefined|NaN/,
      );
    }
  });

  it.for([
    ['a tmpfs', tmpfs('mode=1777'), undefined],
    ['a tmpfs that runs no programs', tmpfs('noexec,nosuid,nodev'), undefined],
    ['a ramfs, which has no fallocate', 'mount -t ramfs ramfs /dev/shm', undefined],
    ['a tmpfs, without /proc', `${tmpfs('mode=1777')} && ${noProc}`, undefined],
    ['a ramfs, without /proc', `mount -t ramfs ramfs /dev/shm && ${noProc}`, undefined],
    [
      'a directory of a disk',
      'mkdir -p out/shm && rm -rf out/shm/* && mount --bind out/shm /dev/shm',
      undefined,
    ],
    [
      'an overlay',
      'mount -t tmpfs tmpfs /mnt && mkdir /mnt/l /mnt/u /mnt/w && ' +
        'mount -t overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w overlay /dev/shm',
      undefined,
    ],
    ['a tmpfs, for another user', tmpfs('mode=1777'), nobody],
    ['a tmpfs, for another user without /proc', `${tmpfs('mode=1777')} && ${noProc}`, nobody],
  ] as const)('all works on %s', async ([, commands, user], { skip }) => {
    skip(user !== undefined && whyNoOther !== undefined, whyNoOther);
    const verbs = [...working, 'memory.list'];
    const { outcomes, left } = await tryThere(verbs, after(commands, user));
    expect(outcomes).toEqual(Object.fromEntries(verbs.map((verb) => [verb, 'fine'])));
    expect(left).toEqual(made);
  });

  it('has a segment read of a read-only file system', async () => {
    const commands =
      `${tmpfs('mode=1777')} && head -c 100 /dev/zero > /dev/shm/there && ` +
      'mount -o remount,ro /dev/shm';
    const { outcomes } = await tryThere(['memory.attach read-only'], after(commands));
    expect(outcomes).toEqual({ 'memory.attach read-only': 'fine' });
  });
});

/** The memory limit of a separate control group, of version 1 or 2. */
class Group implements Disposable {
  readonly #folder: string;
  readonly path: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = path.join(folder, 'inner');
    mkdirSync(this.path, { recursive: true });
  }

  /** A group with a limit for its parent, or a message that says why there is none. */
  static limited(bytes: number): Group | string {
    if (whyNoMounts !== undefined) return whyNoMounts;
    for (const [mount, limit] of [
      ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
      ['/sys/fs/cgroup', 'memory.max'],
    ] as const) {
      if (!existsSync(path.join(mount, 'cgroup.procs'))) continue;
      let group: Group;
      try {
        group = new Group(path.join(mount, uniqueName('shmkit')));
      } catch (error) {
        return `needs control groups that root may make: ${String(error)}`;
      }
      try {
        writeFileSync(path.join(group.#folder, limit), String(bytes));
        return group;
      } catch (error) {
        group[Symbol.dispose]();
        return `needs control groups of memory: ${String(error)}`;
      }
    }
    return 'needs control groups of memory, mounted at /sys/fs/cgroup';
  }

  /** The program and arguments under which a program must be started to be in the group. */
  get entering(): string[] {
    return ['sh', '-c', `echo $$ > ${this.path}/cgroup.procs && exec "$@"`, 'sh'];
  }

  [Symbol.dispose](): void {
    rmdirSync(this.path);
    rmdirSync(this.#folder);
  }
}

const probe = Group.limited(1 << 28);
const whyNoGroups = typeof probe === 'string' ? probe : undefined;
if (typeof probe !== 'string') probe[Symbol.dispose]();

describe.skipIf(whyNoGroups)(`in a limited control group (${whyNoGroups ?? 'root'})`, () => {
  const limit = 256 * 1024 * 1024;

  async function tryInGroup(verbs: string[]): Promise<Found> {
    const group = Group.limited(limit) as Group;
    try {
      return await tryThere(verbs, [...after(tmpfs('size=2g')), ...group.entering]);
    } finally {
      group[Symbol.dispose]();
    }
  }

  it('refuses what can only get the process killed, with the figures', async () => {
    const verbs = ['memory.create 1 GiB', 'array.create 1 GiB', 'dict.set 1 GiB'];
    const { outcomes, left } = await tryInGroup(verbs);
    expect(Object.keys(outcomes)).toEqual(verbs);
    for (const found of Object.values(outcomes)) {
      expect(found).toMatchObject({ code: 'ENOMEM', syscall: 'fallocate' });
      const { message } = found as Complaint;
      expect(message).toMatch(
        /1 GiB( \(\d+ bytes\))? is more than the memory limit of [\d.]+ [MG]iB/,
      );
      expect(message).toContain('container');
    }
    expect(left).toEqual(['shmkit.dict.made']);
  });

  it('grants what is sparse, or less', async () => {
    const verbs = ['memory.create 1 GiB sparse', 'memory.create large', 'dict.open'];
    const { outcomes } = await tryInGroup(verbs);
    expect(outcomes).toEqual(Object.fromEntries(verbs.map((verb) => [verb, 'fine'])));
  });
});

const whyNeither = whyNoMounts ?? whyNoDenials;

describe.skipIf(whyNeither)(`where a system call is refused (${whyNeither ?? 'root'})`, () => {
  const emptyTmpfs = after(tmpfs('mode=1777'));
  // 1 EPERM, 2 ENOENT, 13 EACCES, 21 EISDIR, 22 EINVAL, 38 ENOSYS, 95 EOPNOTSUPP
  it.for([
    ['no unnamed files', 'unnamed:95'],
    ['no unnamed files, in a kernel that never heard of them', 'unnamed:21'],
    ['no names for unnamed files', 'name-unnamed:2'],
    ['a policy against names for unnamed files', 'name-unnamed:13'],
    ['no reservation', 'fallocate:95'],
    ['no locks of descriptions', 'description-locks:22'],
    ['what gVisor has', 'unnamed:95 description-locks:22'],
    ['neither unnamed files nor reservation', 'unnamed:95 fallocate:38'],
  ] as const)('all works with %s', async ([, rules]) => {
    const under = [...emptyTmpfs, ...denying(...rules.split(' '))];
    const { outcomes, left } = await tryThere(working, under);
    expect(outcomes).toEqual(Object.fromEntries(working.map((verb) => [verb, 'fine'])));
    const presences = rules.includes('description-locks') ? 1 : 0;
    expect(left?.filter(isPresence)).toHaveLength(presences);
    expect(left?.filter((file) => !isPresence(file))).toEqual(made);
  });

  it('tells the living from the dead without locks of descriptions', async () => {
    await using stage = await Stage.of(tmpfs('mode=1777'));
    const rules = ['unnamed:95', 'description-locks:22'];
    const living = stage.start('surroundings/holds-permit', [], ...rules);
    const dying = stage.start('surroundings/holds-permit', [], ...rules);
    expect([await living.hear(), await dying.hear()]).toEqual(['holds', 'holds']);
    // A process with all privileges sees the presence of the others as well.
    for (const rulesOfTaker of [rules, []]) {
      const refused = stage.start('surroundings/takes-permit', [0], ...rulesOfTaker);
      expect(await refused.hear()).toBe('ERR_TIMEOUT');
      await refused.succeed();
    }
    const { objects, files } = await stage.start('shareable-list/lists').hear<Listed>();
    expect(objects).toEqual(['shmkit.semaphore.permits']);
    expect(files.filter(isPresence)).toHaveLength(2);
    await dying.kill();
    const taker = stage.start('surroundings/takes-permit', [60_000], ...rules);
    expect(await taker.hear()).toBe('fine');
    await taker.succeed();
    const after = await stage.start('shareable-list/lists').hear<Listed>();
    expect(after.files.filter(isPresence)).toHaveLength(1);
    await living.kill();
  });

  it('says that the file system has no links', async () => {
    const under = [...emptyTmpfs, ...denying('unnamed:95', 'link:1')];
    const { outcomes, left } = await tryThere(['memory.create', 'lock.open'], under);
    for (const found of Object.values(outcomes)) {
      expect(found).toMatchObject({
        code: 'EPERM',
        syscall: 'link',
        message: expect.stringMatching(
          /file system at \/dev\/shm cannot hold shared objects/,
        ) as string,
      });
    }
    expect(left).toEqual([]);
  });

  it('reserves nothing and leaves nothing where writing fails for want of room', async () => {
    const under = [...after(tmpfs('size=64m')), ...denying('unnamed:95', 'fallocate:95')];
    const { outcomes, left } = await tryThere(['memory.create larger than /dev/shm'], under);
    expect(Object.values(outcomes)).toMatchObject([{ code: 'ENOSPC' }]);
    expect(left).toEqual([]);
  });

  // The steps in the order in which they are made.
  const steps = ['flock', 'fallocate', 'fchmod', 'link', 'unlink'] as const;

  describe.each(['memory.create', 'lock.open', 'dict.open'])('%s', (verb) => {
    const name = verb === 'memory.create' ? 'made' : `shmkit.${verb.split('.')[0]!}.made`;

    it.each(steps)('leaves nothing half-made when its process is killed at %s', async (step) => {
      await using stage = await Stage.of(tmpfs('mode=1777'));
      const victim = stage.start(
        'surroundings/surroundings',
        [[verb]],
        'unnamed:95',
        `${step}:kill`,
      );
      expect(await victim.exit).toEqual({ code: null, signal: 'SIGSYS' });
      const { objects, files } = await stage.start('shareable-list/lists').hear<Listed>();
      const isNamed = step === 'unlink';
      expect(objects).toEqual(isNamed ? [name] : []);
      expect(files.filter((file) => !isUnfinished(file))).toEqual(objects);
      expect(files.filter(isUnfinished)).toHaveLength(1);

      const again = verb === 'memory.create' ? 'memory.open' : verb;
      const heir = stage.start(
        'surroundings/surroundings',
        [[again, 'array.create']],
        'unnamed:95',
      );
      const { outcomes, left } = await heir.hear<Found>();
      expect(outcomes).toEqual({ [again]: 'fine', 'array.create': 'fine' });
      expect(left).toEqual([name, 'shmkit.array.made'].sort());
    });
  });

  it('clears what is left when it needs the room', async () => {
    await using stage = await Stage.of(tmpfs('size=4m'));
    const maker = stage.start('surroundings/unfinished', [], 'unnamed:95');
    expect(await maker.hear()).toBe('has created');
    const victim = stage.start(
      'surroundings/surroundings',
      [['memory.create large']],
      'unnamed:95',
      'link:kill',
    );
    expect((await victim.exit).signal).toBe('SIGSYS');
    maker.tell('go on');
    expect(await maker.hear()).toEqual({ before: 2, large: 'fine', left: ['large', 'small'] });
    await maker.succeed();
  });

  it('leaves alone what living creators have not finished', async () => {
    await using stage = await Stage.of(tmpfs('mode=1777'));
    // Each process cleans up before its first creation.
    const makers = Array.from({ length: 8 }, () =>
      stage.start('surroundings/creates-many', [100], 'unnamed:95'),
    );
    for (const maker of makers) expect(await maker.hear()).toEqual({ made: 100, failed: [] });
    const { files } = await stage.start('shareable-list/lists').hear<Listed>();
    expect(files).toEqual([]);
  });
});
