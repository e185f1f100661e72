// A process that uses an object is killed before each of its stores, and at the end. Whatever it had done, the
// others have the whole object, and it is gone when they let it go.
import { SharedObject, attach } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { removeOrphans } from '../../lib/shm/objects/orphans';
import { participants, type Deed } from '../fixtures/objects/step';
import { killedItself, start } from '../support/children';
import { uniqueName } from '../support/names';
import { isThere } from '../support/objects';
import { onLinux } from '../support/system';

const bytes = () => Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);

/** Lets processes die before each store. Returns before how many stores one died. */
async function eachDeath(
  deed: Deed,
  make: () => SharedObject,
  check: (object: SharedObject) => void,
  atRest: (object: SharedObject) => void = () => undefined,
): Promise<number> {
  for (let stores = 0; ; stores++) {
    const object = make();
    const child = start('objects/step', [deed, object.toJSON(), stores]);
    if (deed === 'close') {
      await child.hear();
      atRest(object);
      child.tell('close');
    }
    const said = await child.hearAll();
    expect(await child.exit).toEqual(killedItself);
    check(object);
    object.close();
    expect(isThere(object.name), `after ${stores} stores`).toBe(false);
    if (said.includes('done')) return stores;
  }
}

const makeHeld = () => SharedObject.create({ from: bytes(), participants });

function checkHeld(object: SharedObject): void {
  expect(object.holders).toBe(1);
  expect(object.value).toEqual(bytes());
}

describe.runIf(onLinux)('a process that is killed', () => {
  it('while it attaches, is no holder', async () => {
    expect(await eachDeath('attach', makeHeld, checkHeld)).toBeGreaterThan(2);
  });

  it('while it closes what others hold, is no holder', async () => {
    expect(await eachDeath('close', makeHeld, checkHeld)).toBeGreaterThan(0);
  });

  it('while it closes what it alone holds, leaves nothing that stays', async () => {
    const deaths = await eachDeath(
      'close',
      makeHeld,
      ({ name }) => {
        removeOrphans();
        expect(isThere(name)).toBe(false);
      },
      (object) => object.close(),
    );
    expect(deaths).toBe(0); // one word says it, which is written by native code
  });

  it('while it takes over what is handed over, loses nothing', async () => {
    const make = () => {
      const object = SharedObject.create({ from: bytes(), participants, handOver: true });
      object.close();
      return object;
    };
    let taken = 0;
    const deaths = await eachDeath('take over', make, (object) => {
      // Who had taken it is dead. Otherwise it is still there to be taken.
      if (!isThere(object.name)) return;
      const again = attach(object.toJSON());
      expect(again.holders).toBe(1);
      expect(again.value).toEqual(bytes());
      again.close();
      taken++;
    });
    expect(deaths).toBeGreaterThan(3);
    expect(taken).toBeGreaterThan(2);
  });

  it('while it removes what another one has left, leaves it to the next one', async () => {
    for (let stores = 0; ; stores++) {
      const handle = { shmkit: 'object', name: uniqueName() };
      const holder = start('objects/step', ['leave', handle, 0]);
      expect(await holder.hear()).toBe('done');
      expect(await holder.exit).toEqual(killedItself);
      const child = start('objects/step', ['reap', handle, stores]);
      const said = await child.hearAll();
      expect(await child.exit).toEqual(killedItself);
      // Who attaches now finds that it is gone, or takes it away.
      expect(isThere(handle.name)).toBe(false);
      if (said.includes('done')) {
        expect(said).toEqual(['ENOENT', 'done']);
        expect(stores).toBeGreaterThan(0);
        return;
      }
    }
  });

  it('while it makes an object with another in it, leaves whole ones or none', async () => {
    const deaths = await eachDeath('make', makeHeld, (object) => {
      const name = `${object.name}-outer`;
      if (isThere(name)) {
        const outer = SharedObject.attach<{ inner: SharedObject }>(name, { handOver: true });
        expect(outer.value.inner.value).toEqual(bytes());
        outer.value.inner.close();
        outer.close();
        expect(isThere(name)).toBe(false);
      }
      // A parcel of the inner object may be left, which nobody will take.
      object.unlink();
    });
    expect(deaths).toBeGreaterThan(1);
  });

  it('while it makes one of a draft and of a part of another, leaves whole ones or none', async () => {
    const deaths = await eachDeath('seal', makeHeld, (object) => {
      const name = `${object.name}-outer`;
      if (isThere(name)) {
        const outer = SharedObject.attach<Record<string, Uint8Array>>(name, { handOver: true });
        expect(outer.value).toEqual({ copy: bytes(), inner: bytes() });
        outer.close();
        expect(isThere(name)).toBe(false);
      }
      // A parcel of the inner object may be left, which nobody will take.
      object.unlink();
    });
    expect(deaths).toBeGreaterThan(1);
  });
});
