// What is true of every kind of object that has one holder at a time, wherever its two sides are.
import type { contract, WaitOptions } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectRejection } from '../support/errors';
import { uniqueName } from '../support/names';
import { untilTrue, type Kind, type Kinds, type Place, type Remote } from '../support/places';
import { timed } from '../support/temporaries';
import { makersOf } from './handles';

type Named = Remote<contract.Named>;
type Int32 = contract.Value<'int32'>;

interface Guard extends AsyncDisposable {
  readonly abandoned?: boolean;
  release(): Promise<void>;
}

/** How an object is held, so that nobody else can have it. */
interface Use<T> {
  /** What the tests call it. */
  readonly called: string;
  /** The options of a new object that make it one that has one holder. */
  readonly options?: object;
  acquire(object: Remote<T>, options?: WaitOptions): Promise<Guard>;
  tryAcquire(object: Remote<T>): Promise<Guard | null>;
  isHeld(object: Remote<T>): Promise<boolean>;
  /** Whether the holder is a thread, so that its tasks do not exclude each other. */
  readonly isOfThread?: boolean;
  /** Whether the next holder is told that the last one died. */
  readonly tellsOfDeath: boolean;
  /** Whether those who are attached can use it after its name was removed. */
  readonly staysUnlinked: boolean;
}

export function describeHolding<K extends Kind>(place: Place, kind: K, use: Use<Kinds[K]>): void {
  // What all kinds have in common can be used with each of them.
  const own = (any: Named) => any as unknown as Remote<Kinds[K]>;
  const acquire = (object: Named, options?: WaitOptions) =>
    options === undefined ? use.acquire(own(object)) : use.acquire(own(object), options);
  const tryAcquire = (object: Named) => use.tryAcquire(own(object));
  const isHeld = (object: Named) => use.isHeld(own(object));
  const { ofHere, ofThere } = makersOf(place, kind);
  const { called, options = {} } = use;
  const share = () => place.share<contract.Named>(kind, options);
  const told = use.tellsOfDeath ? true : undefined;
  const notTold = use.tellsOfDeath ? false : undefined;

  // Two sides that are one thread may have it together.
  const excluding = it.runIf(place.canEnd || !use.isOfThread);

  /**
   * Waits until it is free. Where its holder had to wait for it, others may see it held for a moment after the
   * holder has released it.
   */
  const untilFree = (object: Named) => untilTrue(async () => !(await isHeld(object)));

  /** Expects that the handles lead to one object. */
  const expectOne = async (one: Named, ...others: Named[]) => {
    const guard = await acquire(one);
    for (const other of others) expect(await isHeld(other)).toBe(true);
    await guard.release();
    for (const other of others) expect(await isHeld(other)).toBe(false);
  };

  describe(called, () => {
    it('that was made there is opened and attached to here, by its name', async () => {
      const name = uniqueName();
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await using made = await ofThere().create({ name, ...options });
      await expectRejection(ofHere().create({ name, ...options }), 'EEXIST', name);
      await expectRejection(ofThere().create({ name, ...options }), 'EEXIST', name);
      await using opened = await ofHere().open(name, options);
      await using attached = await ofHere().attach(name);
      expect([await opened.shmkit(), await opened.name()]).toEqual([kind, name]);
      await expectOne(opened, made, attached);
      await expectOne(made, opened, attached);
      await made.unlink();
    });

    it('is one, when both sides open it at once', async () => {
      const name = uniqueName();
      const both = [ofHere().open(name, options), ofThere().open(name, options)] as const;
      await using here = await both[0];
      await using there = await both[1];
      await expectOne(here, there);
      await expectOne(there, here);
      await here.unlink();
    });

    it('loses its name for both', async () => {
      const name = uniqueName();
      await using here = await ofHere().create({ name, ...options });
      await using there = await ofThere().attach(name);
      await ofThere().unlink(name);
      await expectRejection(ofHere().attach(name), 'ENOENT', name);
      await expectRejection(ofThere().attach(name), 'ENOENT', name);
      await expectRejection(here.unlink(), 'ENOENT', name);
      if (use.staysUnlinked) await expectOne(there, here);
    });

    it('is the same by the handle that comes from there as data', async () => {
      const { here, there } = await share();
      const handle = await there.toJSON();
      expect(handle).toEqual(await here.toJSON());
      await using attached = await place.attachHere<contract.Named>(handle);
      await expectOne(there, attached);
    });

    it('that is closed there is whole here, and for who attaches there again', async () => {
      const { here, there } = await share();
      const name = await here.name();
      expect(await there.closed()).toBe(false);
      await there.close();
      await there.close();
      expect([await there.closed(), await here.closed()]).toEqual([true, false]);
      await expectRejection(acquire(there), 'ERR_CLOSED', name);
      await expectRejection(tryAcquire(there), 'ERR_CLOSED', name);
      await using again = await ofThere().attach(name);
      await expectOne(here, again);
      await expectOne(again, here);
    });
  });

  describe(`${called} that is held there`, () => {
    excluding('is nobody’s here until it is released, once', async () => {
      const { here, there } = await share();
      const name = await here.name();
      const guard = await acquire(there);
      expect(guard.abandoned).toBe(notTold);
      expect([await isHeld(here), await isHeld(there)]).toEqual([true, true]);
      expect(await tryAcquire(here)).toBeNull();
      await guard.release();
      await expectRejection(guard.release(), 'ERR_NOT_HELD', name);
      expect([await isHeld(here), await isHeld(there)]).toEqual([false, false]);
      const own = (await tryAcquire(here))!;
      expect(await tryAcquire(there)).toBeNull();
      await expectRejection(guard.release(), 'ERR_NOT_HELD');
      expect(await isHeld(there)).toBe(true);
      await own.release();
    });

    it('is released where its block is left, unless that was done before', async () => {
      const { here, there } = await share();
      {
        await using _guard = await acquire(there);
        expect(await isHeld(here)).toBe(true);
      }
      expect(await isHeld(here)).toBe(false);
      {
        await using guard = (await tryAcquire(there))!;
        await guard.release();
      }
      expect(await isHeld(here)).toBe(false);
    });

    it('keeps that handle open, and no other', async () => {
      const { here, there } = await share();
      const name = await here.name();
      const guard = await acquire(there);
      await using other = await ofThere().attach(await here.name());
      await other.close();
      await expectRejection(there.close(), 'EBUSY', name);
      expect([await there.closed(), await isHeld(here)]).toEqual([false, true]);
      await guard.release();
      await there.close();
      expect(await isHeld(here)).toBe(false);
    });
  });

  describe.each(place.traits.forms)(`waiting there for ${called}, %s,`, (form) => {
    // A thread cannot block until it releases something itself.
    const waits = form === 'sync' ? it.runIf(place.canEnd) : excluding;

    waits('lasts until it is released here', async () => {
      const { here, there } = await share();
      const own = await acquire(here);
      const waiting = acquire(place.inForm(form, there));
      await place.begun();
      await own.release();
      const guard = await waiting;
      expect([guard.abandoned, await isHeld(here)]).toEqual([notTold, true]);
      await guard.release();
      await untilFree(here);
    });

    waits('lasts as long as it may, and is over then', async () => {
      const { here, there } = await share();
      const own = await acquire(here);
      for (const timeout of [20, 0]) {
        const wait = () => acquire(place.inForm(form, there), { timeout });
        const took = await timed(() => expectRejection(wait(), 'ERR_TIMEOUT', `${timeout} ms`));
        expect(took).toBeGreaterThanOrEqual(timeout);
      }
      await own.release();
      await untilFree(there);
      await (await acquire(place.inForm(form, there))).release();
    });
  });

  describe(`waiting there for ${called}`, () => {
    excluding('is called off from here', async () => {
      const { here, there } = await share();
      const own = await acquire(here);
      const abort = new AbortController();
      const { signal } = abort;
      const off = expect(acquire(there, { signal })).rejects.toThrow('enough');
      await place.begun();
      abort.abort(new Error('enough'));
      await off;
      await own.release();
      await expect(acquire(there, { signal })).rejects.toThrow('enough');
      await untilFree(here);
    });

    excluding('is given up when that handle is closed', async () => {
      const { here, there } = await share();
      const own = await acquire(here);
      const cut = expectRejection(acquire(there), 'ERR_CLOSED');
      await place.begun();
      await there.close();
      await cut;
      await own.release();
      await untilFree(here);
    });
  });

  describe(`${called} that both sides want`, () => {
    excluding('lets in one of them at a time', async () => {
      const { here, there } = await share();
      const { here: value } = await place.share<Int32>('value', { type: 'int32' });
      const each = 25;
      const increase = async (object: Named) => {
        for (let i = 0; i < each; i++) {
          const guard = await acquire(object);
          await value.exchange((await value.value()) + 1);
          await guard.release();
        }
      };
      const lanes = use.isOfThread ? [here, there] : [here, there, here, there];
      await Promise.all(lanes.map(increase));
      expect(await value.value()).toBe(lanes.length * each);
      await untilFree(there);
    });
  });

  describe(`a mistake made there with ${called}`, () => {
    it('is told here by its code, and nothing is held then', async () => {
      const { here, there } = await share();
      for (const [given, code, said] of [
        [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', 'timeout'],
        [{ timeout: '1' }, 'ERR_INVALID_ARG_TYPE', 'timeout'],
        [{ timeOut: 1 }, 'ERR_INVALID_ARG_VALUE', 'timeOut'],
        [{ signal: 1 }, 'ERR_INVALID_ARG_TYPE', 'signal'],
        [1, 'ERR_INVALID_ARG_TYPE', 'options'],
      ] as const) {
        await expectRejection(acquire(there, given as WaitOptions), code, said);
      }
      expect([await isHeld(here), await isHeld(there)]).toEqual([false, false]);
    });
  });

  describe.runIf(place.canEnd)(`a place that ends, and ${called}:`, () => {
    it.runIf(place.traits.keepsUnused)('what it made and holds is left to others', async () => {
      const name = uniqueName();
      const other = await place.another();
      const made = await makersOf(other, kind)
        .ofThere()
        .create({ name, ...options });
      await acquire(made);
      await other.end();
      await using here = await ofHere().attach(name);
      const guard = await acquire(here);
      expect(guard.abandoned).toBe(told);
      await guard.release();
      await here.unlink();
    });

    it('what it holds comes to those who wait, and the first of them is told', async () => {
      const { here, there } = await share();
      const other = await place.another();
      await acquire(await other.attach<contract.Named>(kind, here));
      const news: (boolean | undefined)[] = [];
      const [form] = place.traits.forms;
      const waits = [acquire(place.inForm(form!, there)), acquire(here)].map(async (wait) => {
        const guard = await wait;
        news.push(guard.abandoned);
        await guard.release();
      });
      await place.begun();
      expect(await isHeld(here)).toBe(true);
      await other.end();
      await Promise.all(waits);
      expect(news).toEqual([told, notTold]);
      await untilFree(there);
    });

    it('what it waits for is left to others, and nobody is told', async () => {
      const { here, there } = await share();
      const own = await acquire(here);
      const other = await place.another();
      const away = await other.attach<contract.Named>(kind, here);
      const waits = [acquire(away)];
      // It blocks the thread, so it comes last.
      if (place.traits.forms.includes('sync')) waits.push(acquire(other.inForm('sync', away)));
      const cut = waits.map((wait) => expect(wait).rejects.toThrow('gone'));
      await other.begun();
      const waiting = acquire(there);
      await place.begun();
      await other.end();
      await Promise.all(cut);
      await own.release();
      const guard = await waiting;
      expect(guard.abandoned).toBe(notTold);
      await guard.release();
    });

    it('amid changes leaves them whole, or the next holder is told', async () => {
      const { here } = await share();
      const { here: first } = await place.share<Int32>('value', { type: 'int32' });
      const { here: second } = await place.share<Int32>('value', { type: 'int32' });
      const other = await place.another();
      const away = await other.attach<contract.Named>(kind, here);
      const values = [
        await other.attach<Int32>('value', first),
        await other.attach<Int32>('value', second),
      ];
      const { done } = await other.endAmid(async () => {
        const guard = await acquire(away);
        for (const value of values) await value.add(1);
        await guard.release();
      });
      const guard = await acquire(here);
      const counts = [await first.value(), await second.value()] as const;
      if (guard.abandoned === false) expect(counts[1]).toBe(counts[0]);
      expect(counts[0]).toBeGreaterThanOrEqual(counts[1]);
      expect(counts[1]).toBeGreaterThanOrEqual(done.length);
      await guard.release();
      const next = await acquire(here);
      expect(next.abandoned).toBe(notTold);
      await next.release();
    });
  });
}
