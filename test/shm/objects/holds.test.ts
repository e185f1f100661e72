// Who keeps an object alive: every thread that holds it, and nobody else.
import { existsSync, readFileSync } from 'node:fs';
import { SharedObject, attach } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { sinceBoot } from '../../../lib/shm/core/clock';
import { parcelLifetime } from '../../../lib/shm/objects/holds';
import { entryLayout } from '../../../lib/shm/core/roster';
import { removeOrphans } from '../../../lib/shm/objects/orphans';
import { start } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { isThere } from '../../support/objects';
import { Peer, beings, ends, goOn, stop } from '../../support/peers';
import { canStop, onLinux, onWindows } from '../../support/system';
import { until } from '../../support/temporaries';
import { setWord } from '../../support/words';

const usedAt = 15;
const rosterAt = 16;
const entryBytes = 4 * entryLayout.words;

const bytes = () => Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);

describe.each(beings)('an object that a %s attaches to', (being) => {
  it('outlives the handle of its creator', async () => {
    const object = SharedObject.create({ from: bytes() });
    const peer = await Peer.start(object, being);
    expect(await peer.call('holders')).toBe(2);
    object.close();
    using again = SharedObject.attach<Uint8Array>(object.name);
    expect(again.value).toEqual(bytes());
    expect(await peer.call('value.at', -1)).toBe(bytes().at(-1));
    expect(await peer.call('close')).toBe('fine');
    expect(again.holders).toBe(1);
  });

  it('is gone when the last of both has closed it, in each order', async () => {
    for (const isCreatorFirst of [true, false]) {
      const object = SharedObject.create({ from: 1 });
      const peer = await Peer.start(object, being);
      if (isCreatorFirst) object.close();
      await peer.call('close');
      expect(isThere(object.name)).toBe(!isCreatorFirst);
      object.close();
      expect(isThere(object.name)).toBe(false);
      await peer.end();
    }
  });
});

describe.each(ends)('%s', (end) => {
  it('holds nothing any more', async () => {
    const object = SharedObject.create({ from: bytes() });
    const peer = await Peer.startFor(end, object);
    expect(object.holders).toBe(2);
    await peer.endBy(end);
    expect(object.holders).toBe(1);
    object.close();
    expect(isThere(object.name)).toBe(false);
  });

  it('leaves nothing of what it held alone but a name, which goes when somebody looks', async () => {
    const object = SharedObject.create({ from: bytes() });
    const peer = await Peer.startFor(end, object);
    object.close();
    await peer.endBy(end);
    // An orderly exit removes the object. What was killed could not do that.
    const isLeft = end !== 'a process that exits' && !onWindows;
    if (onLinux) expect(existsSync(`/dev/shm/shmkit.object.${object.name}`)).toBe(isLeft);
    if (!isLeft) return;
    expectCode(() => SharedObject.attach(object.name), 'ENOENT', object.name, 'nobody holds it');
    if (onLinux) expect(existsSync(`/dev/shm/shmkit.object.${object.name}`)).toBe(false);
    using next = SharedObject.create({ name: object.name, from: 'next' });
    expect(next.value).toBe('next');
  });
});

it.runIf(canStop)('a process that is stopped still holds it', async () => {
  const object = SharedObject.create({ from: 1 });
  const peer = await Peer.start(object);
  object.close();
  await stop(peer);
  using again = SharedObject.attach(object.name);
  expect(again.holders).toBe(2);
  goOn(peer);
  expect(await peer.call('value')).toBe(1);
  await peer.call('close');
});

describe('collected as garbage', () => {
  it('a handle gives back its hold', async () => {
    let name = '';
    (() => {
      name = SharedObject.create({ from: bytes() }).name;
    })();
    await until(() => {
      gc!();
      return !isThere(name);
    });
  });

  it('a handle does not go while a part of a buffer is in use', async () => {
    let name = '';
    const kept: { part?: Uint8Array } = {};
    kept.part = (() => {
      const object = SharedObject.create({ from: { bytes: bytes() } });
      ({ name } = object);
      return object.value.bytes.subarray(10, 20);
    })();
    for (let i = 0; i < 5; i++) {
      gc!();
      await new Promise(setImmediate);
    }
    expect(kept.part).toEqual(bytes().subarray(10, 20));
    delete kept.part;
    await until(() => {
      gc!();
      return !isThere(name);
    });
  });
});

describe('what is handed over', () => {
  it.each(beings)('belongs to the %s that takes it', async (being) => {
    const object = SharedObject.create({ from: bytes(), handOver: true });
    expect(object.toJSON()).toEqual({ shmkit: 'object', name: object.name, handOver: true });
    object.close();
    expect(isThere(object.name)).toBe(true);
    const peer = await Peer.start(object, being);
    expect(await peer.call('holders')).toBe(1);
    expect(await peer.call('toJSON')).toEqual({ shmkit: 'object', name: object.name });
    await peer.call('close');
    expect(isThere(object.name)).toBe(false);
  });

  it('is taken once, and after that only held', async () => {
    const object = SharedObject.create({ from: 1, handOver: true });
    const handle = object.toJSON();
    object.close();
    const peers = await Promise.all([1, 2, 3].map(() => Peer.start({ toJSON: () => handle })));
    for (const peer of peers) await peer.call('close');
    expect(isThere(object.name)).toBe(false);
  });

  it('is not taken by who attaches by name', () => {
    const object = SharedObject.create({ from: 1, handOver: true });
    object.close();
    for (let i = 0; i < 3; i++) SharedObject.attach(object.name).close();
    const taken = attach(object.toJSON());
    expect(taken.value).toBe(1);
    taken.close();
    expect(isThere(object.name)).toBe(false);
  });

  it('takes with it the objects in its value', async () => {
    const inner = SharedObject.create({ from: bytes() });
    const outer = SharedObject.create({ from: { inner }, handOver: true });
    inner.close();
    outer.close();
    const peer = await Peer.start(outer);
    expect(await peer.call('value.inner.value.at', 7)).toBe(7);
    await peer.call('close');
    await peer.call('value.inner.close').catch(() => undefined);
    expect(isThere(outer.name)).toBe(false);
    await peer.end();
    expect(isThere(inner.name)).toBe(false); // the killed peer had read it
  });

  // On Windows, an object disappears with its last handle.
  it.skipIf(onWindows)('is still there when its maker is gone, killed or not', async () => {
    for (const how of ['exit', 'kill']) {
      const maker = start('objects/maker', [how]);
      const handle = await maker.hear<{ shmkit: 'object'; name: string }>();
      await maker.exit;
      removeOrphans();
      const taken = attach(handle);
      expect(taken.value).toEqual([1, 2, 3]);
      taken.close();
      expect(isThere(handle.name)).toBe(false);
    }
  });

  it.runIf(onLinux)('is an orphan if nobody comes for it within a minute', async () => {
    const maker = start('objects/maker', ['kill']);
    const { name } = await maker.hear<{ name: string }>();
    await maker.exit;
    expect(removeOrphans()).toBe(0);
    // Its time, as if it had been handed over long ago.
    const [low, high] = new Int32Array(Float64Array.of(sinceBoot() - parcelLifetime).buffer);
    setWord('object', name, rosterAt + entryLayout.word, low!);
    setWord('object', name, rosterAt + entryLayout.word + 1, high!);
    expect(removeOrphans()).toBe(1);
    expect(isThere(name)).toBe(false);
  });
});

describe('room', () => {
  it('is for as many threads as was asked for, at least, and the dead free it', async () => {
    using object = SharedObject.create({ from: 1, participants: 1 });
    const peers = await Promise.all([1, 2, 3].map(() => Peer.start(object)));
    expect(object.holders).toBe(4);
    await Promise.all(peers.map((peer) => peer.end()));
    expect(object.holders).toBe(1);
  });

  it.runIf(onLinux)('that is full is an error, and nothing is lost', async () => {
    using object = SharedObject.create({ from: 1, participants: 1 });
    const file = readFileSync(`/dev/shm/shmkit.object.${object.name}`);
    const wordsAt = 256;
    const word = (index: number) => file.readInt32LE(wordsAt + 4 * index);
    const capacity = Math.floor((file.readUInt32LE(12) - wordsAt - 4 * rosterAt) / entryBytes);
    setWord('object', object.name, usedAt, capacity);
    for (let i = 1; i < capacity; i++) {
      for (let field = 0; field < entryLayout.words; field++) {
        const value = word(rosterAt + field);
        setWord('object', object.name, rosterAt + i * entryLayout.words + field, value);
      }
    }
    const child = start('objects/attacher', [object.toJSON()]);
    expect(await child.hear()).toBe('ERR_CAPACITY');
    await child.succeed();
    expect(object.holders).toBe(capacity);
    for (let i = 1; i < capacity; i++) {
      setWord('object', object.name, rosterAt + i * entryLayout.words, 0);
    }
  });
});

describe.runIf(onLinux)('what killed processes have left', () => {
  it('is removed, unless somebody holds it', async () => {
    const names = ['held', 'left', 'left too'].map((what) => uniqueName(what));
    const maker = start('objects/maker', ['kill', ...names]);
    await maker.hear();
    using held = SharedObject.attach(names[0]!);
    maker.tell('go on');
    await maker.exit;
    expect(removeOrphans()).toBe(2);
    expect(names.map(isThere)).toEqual([true, false, false]);
    expect(held.value).toEqual([1, 2, 3]);
  });
});

/** Runs in a separate process, because the test is that the process does not crash. */
describe.runIf(onLinux)('a buffer in use does no harm when', () => {
  it.each([
    ['its object is closed', 'randomFill'],
    ['its object is closed', 'read'],
    ['its object is forgotten', 'write'],
    ['its object is closed', 'postMessage'],
    ...('transfer' in ArrayBuffer.prototype ? [['its object is closed', 'transfer']] : []),
  ])('%s: by %s', async (_, way) => {
    const child = start('objects/in-use', [way]);
    expect(await child.hear()).toBe(0);
    await child.succeed();
  });
});
