// What is true of the handles of every structure, wherever its two sides are.
import { attach } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import type { Place, Remote } from '../support/places';
import type { Structure, Structures } from '../support/remote';
import { onWindows } from '../support/system';

/** The smallest set of operations that shows whether two handles lead to one structure. */
interface Use<T> {
  put(into: Remote<T>, value: string): Promise<unknown>;
  /** Everything that was put, in any order. */
  found(there: Remote<T>): Promise<unknown[]>;
}

export function describeHandles<K extends keyof Structures>(
  place: Place,
  kind: K,
  use: Use<Structures[K]>,
): void {
  // What all kinds have in common can be used with each of them.
  const own = (any: Remote<Structure>) => any as unknown as Remote<Structures[K]>;
  const put = (into: Remote<Structure>, value: string) => use.put(own(into), value);
  const found = async (there: Remote<Structure>) => (await use.found(own(there))).sort();
  const ofHere = () => place.classHere<keyof Structures>(kind);
  const ofThere = () => place.classOf<keyof Structures>(kind);

  describe(`a ${kind}`, () => {
    it('that is made there is opened and attached to here, by its name', async () => {
      const name = uniqueName();
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await using made = await ofThere().create({ name, capacity: 1 << 20 });
      await expectRejection(ofHere().create({ name }), 'EEXIST', name);
      await expectRejection(ofThere().create({ name }), 'EEXIST', name);
      await using opened = await ofHere().open(name, { capacity: 1 << 22 });
      await using attached = await ofHere().attach(name);
      expect(await opened.capacity()).toBe(await made.capacity());
      await put(opened, 'it');
      expect([await found(made), await found(attached)]).toEqual([['it'], ['it']]);
      await made.unlink();
    });

    it('is one, when both sides open it at once', async () => {
      const name = uniqueName();
      const both = [ofHere().open(name), ofThere().open(name)] as const;
      await using here = await both[0];
      await using there = await both[1];
      await put(here, 'from here');
      await put(there, 'from there');
      expect(await found(here)).toEqual(['from here', 'from there']);
      await here.unlink();
    });

    it('loses its name for both, and stays with who has it', async () => {
      const name = uniqueName();
      await using here = await ofHere().create({ name });
      await using there = await ofThere().attach(name);
      await ofThere().unlink(name);
      await expectRejection(ofHere().attach(name), 'ENOENT', name);
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await expectRejection(here.unlink(), 'ENOENT', name);
      await put(there, 'still there');
      expect(await found(here)).toEqual(['still there']);
    });

    it('is the same by the handle that comes from there as data', async () => {
      const { here, there } = await place.share<Structure>(kind);
      const handle = await there.toJSON();
      expect(handle).toEqual(await here.toJSON());
      using attached = attach(handle);
      expect(attached.name).toBe(await there.name());
    });

    it('that is closed there is whole here, and for who attaches there again', async () => {
      const { here, there } = await place.share<Structure>(kind);
      const name = await here.name();
      await put(here, 'from here');
      await put(there, 'from there');
      expect(await there.closed()).toBe(false);
      await there.close();
      await there.close();
      expect([await there.closed(), await here.closed()]).toEqual([true, false]);
      await expectRejection(put(there, 'no'), 'ERR_CLOSED', name);
      await expectRejection(found(there), 'ERR_CLOSED');
      await expectRejection(there.bytesUsed(), 'ERR_CLOSED');
      await using again = await ofThere().attach(name);
      expect(await here.bytesUsed()).toBeGreaterThan(0);
      expect(await found(again)).toEqual(['from here', 'from there']);
    });

    it.runIf(place.canEnd && onWindows)('goes with the place that made it', async () => {
      const name = uniqueName();
      const other = await place.another();
      const made = await other.classOf<keyof Structures>(kind).create({ name });
      await put(made, 'no will');
      await other.end();
      await expectRejection(ofHere().attach(name), 'ENOENT', name);
    });

    it.runIf(place.canEnd && !onWindows)('outlives the place that made it', async () => {
      const name = uniqueName();
      const other = await place.another();
      const made = await other.classOf<keyof Structures>(kind).create({ name });
      await put(made, 'a will');
      await other.end();
      await using here = await ofHere().attach(name);
      expect(await found(here)).toEqual(['a will']);
      await here.unlink();
    });
  });
}
