// What is true of the handles of every kind of object, wherever its two sides are.
import type { contract } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import type { Kind, Kinds, Place, Remote, RemoteMaker } from '../support/places';

type Named = Remote<contract.Named>;

/** The smallest set of operations that shows whether two handles lead to one object. */
interface Use<T> {
  /** The options that a new object needs. */
  readonly options?: object;
  /** Changes the object in a way that can be seen through another handle. */
  change(object: Remote<T>): Promise<unknown>;
  /** How often the object was changed. */
  changes(object: Remote<T>): Promise<number>;
  /** After how many changes the object is as it was at first, if there is such a number. */
  readonly period?: number;
}

/** The kind as it is named in titles. */
export function articled(kind: Kind): string {
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** What makes objects of a kind here and in the place, seen as what all kinds have in common. */
export function makersOf(place: Place, kind: Kind) {
  const asNamed = (maker: unknown) => maker as RemoteMaker<contract.Named>;
  return {
    ofHere: () => asNamed(place.makerHere<Kind>(kind)),
    ofThere: () => asNamed(place.makerThere<Kind>(kind)),
  };
}

export function describeHandles<K extends Kind>(place: Place, kind: K, use: Use<Kinds[K]>): void {
  // What all kinds have in common can be used with each of them.
  const own = (any: Named) => any as unknown as Remote<Kinds[K]>;
  const change = (object: Named) => use.change(own(object));
  const changes = (object: Named) => use.changes(own(object));
  const { ofHere, ofThere } = makersOf(place, kind);
  const { options = {}, period = Infinity } = use;
  const times = (...counts: number[]) => counts.map((count) => count % period);

  describe(articled(kind), () => {
    it('that was made there is opened and attached to here, by its name', async () => {
      const name = uniqueName();
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await using made = await ofThere().create({ name, ...options });
      await expectRejection(ofHere().create({ name, ...options }), 'EEXIST', name);
      await expectRejection(ofThere().create({ name, ...options }), 'EEXIST', name);
      await using opened = await ofHere().open(name, options);
      await using attached = await ofHere().attach(name);
      expect([await opened.shmkit(), await opened.name()]).toEqual([kind, name]);
      await change(opened);
      expect([await changes(made), await changes(attached)]).toEqual(times(1, 1));
      await made.unlink();
    });

    it('is one, when both sides open it at once', async () => {
      const name = uniqueName();
      const both = [ofHere().open(name, options), ofThere().open(name, options)] as const;
      await using here = await both[0];
      await using there = await both[1];
      await change(here);
      await change(there);
      expect([await changes(here), await changes(there)]).toEqual(times(2, 2));
      await here.unlink();
    });

    it('loses its name for both, and stays with who has it', async () => {
      const name = uniqueName();
      await using here = await ofHere().create({ name, ...options });
      await using there = await ofThere().attach(name);
      await ofThere().unlink(name);
      await expectRejection(ofHere().attach(name), 'ENOENT', name);
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await expectRejection(here.unlink(), 'ENOENT', name);
      await change(there);
      expect([await changes(here)]).toEqual(times(1));
    });

    it('is the same by the handle that comes from there as data', async () => {
      const { here, there } = await place.share<contract.Named>(kind, options);
      const handle = await there.toJSON();
      expect(handle).toEqual(await here.toJSON());
      await using attached = await place.attachHere<contract.Named>(handle);
      expect(await attached.name()).toBe(await there.name());
    });

    it('that is closed there is whole here, and for who attaches there again', async () => {
      const { here, there } = await place.share<contract.Named>(kind, options);
      const name = await here.name();
      await change(here);
      await change(there);
      expect(await there.closed()).toBe(false);
      await there.close();
      await there.close();
      expect([await there.closed(), await here.closed()]).toEqual([true, false]);
      await expectRejection(change(there), 'ERR_CLOSED', name);
      await using again = await ofThere().attach(name);
      expect([await changes(here), await changes(again)]).toEqual(times(2, 2));
    });

    it.runIf(place.canEnd)(
      place.traits.keepsUnused
        ? 'outlives the place that made it'
        : 'goes with the place that made it',
      async () => {
        const name = uniqueName();
        const other = await place.another();
        await change(
          await makersOf(other, kind)
            .ofThere()
            .create({ name, ...options }),
        );
        await other.end();
        if (!place.traits.keepsUnused) {
          await expectRejection(ofHere().attach(name), 'ENOENT', name);
          return;
        }
        await using here = await ofHere().attach(name);
        expect([await changes(here)]).toEqual(times(1));
        await here.unlink();
      },
    );
  });
}
