import { SharedArray, SharedValue, type ElementType } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary, timed } from '../../support/temporaries';
import { start } from '../../support/children';
import { allTypes, bigTypes, integers, limitsOf, valueOf } from '../../support/elements';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { Peer, beings, ends, forms } from '../../support/peers';

type Any = SharedValue<'int32'>;

/** Creates a value of a type that the compiler does not know. */
function create(type: ElementType, value?: number | bigint): SharedValue {
  return temporary(SharedValue.create({ type, ...(value !== undefined && { value }) }));
}

describe.each(allTypes)('a value of %s', (type) => {
  it('is zero at first, or what it was given', () => {
    using zero = create(type);
    expect([zero.type, zero.value]).toEqual([type, valueOf(type, 0)]);
    using given = create(type, valueOf(type, 100));
    expect(given.value).toBe(valueOf(type, 100));
    given.value = valueOf(type, 7);
    using other = SharedValue.attach(given.name);
    expect([other.type, other.value]).toEqual([type, valueOf(type, 7)]);
  });

  it('exchanges, compares and updates', () => {
    using value = create(type, valueOf(type, 1));
    const of = (n: number) => valueOf(type, n);
    expect(value.exchange(of(2))).toBe(of(1));
    expect(value.compareExchange(of(1), of(9))).toBe(of(2));
    expect(value.value).toBe(of(2));
    expect(value.compareExchange(of(2), of(3))).toBe(of(2));
    expect(value.value).toBe(of(3));
    expect(value.add(of(4))).toBe(of(3));
    expect(value.update((before) => (before === of(7) ? of(8) : of(0)))).toBe(of(8));
    expect(value.value).toBe(of(8));
    expect(value.lock.locked).toBe(false);
  });

  it('takes no numbers of another kind, nor anything else', () => {
    using value = create(type, valueOf(type, 5));
    const wrong = [bigTypes.includes(type) ? 1 : 1n, '1', null, true, {}, [1]] as never[];
    for (const bad of wrong) {
      for (const use of [
        () => (value.value = bad),
        () => value.add(bad),
        () => value.exchange(bad),
        () => value.compareExchange(bad, valueOf(type, 1)),
        () => value.compareExchange(valueOf(type, 5), bad),
        () => value.update(() => bad),
        () => value.waitSync(bad, { timeout: 0 }),
        () => create(type, bad),
      ]) {
        expectCode(use, 'ERR_INVALID_ARG_TYPE');
      }
    }
    for (const none of [undefined, 1, 'x', {}] as never[]) {
      expectCode(() => value.update(none), 'ERR_INVALID_ARG_TYPE', 'fn');
    }
    expect([value.value, value.lock.locked]).toEqual([valueOf(type, 5), false]);
  });

  it('is attached to as that type only', () => {
    using value = create(type);
    const { name } = value;
    for (const other of allTypes.filter((each) => each !== type)) {
      expectCode(() => SharedValue.attach(name, { type: other }), 'ERR_WRONG_KIND', type, other);
      expectCode(() => SharedValue.open(name, { type: other }), 'ERR_WRONG_KIND', type, other);
    }
    SharedValue.attach(name, { type }).close();
    value.value = valueOf(type, 3);
    const again = { type, value: valueOf(type, 9) } as never;
    using opened = SharedValue.open(name, again);
    expect(opened.value, 'one that is there stays as it is').toBe(valueOf(type, 3));
  });
});

describe.each(integers)('an integer of %s', (type) => {
  const { least, most } = limitsOf(type);
  const of = (n: bigint) => (bigTypes.includes(type) ? n : Number(n)) as never;

  it('is held to its limits, and left alone by what would lead beyond', () => {
    using value = create(type);
    for (const limit of [least, most]) {
      const beyond = of(limit === most ? most + 1n : least - 1n);
      const further = of(limit === most ? 1n : -1n);
      value.value = of(limit);
      for (const use of [
        () => (value.value = beyond),
        () => value.exchange(beyond),
        () => value.compareExchange(of(limit), beyond),
        () => value.compareExchange(beyond, of(limit)),
        () => value.update(() => beyond),
        () => value.add(further),
        () => value.add(of(limit === most ? most - least + 1n : least - most - 1n)),
        () => create(type, beyond),
      ]) {
        expectCode(use, 'ERR_OUT_OF_RANGE');
        expect(value.value).toBe(of(limit));
      }
    }
    // As far as is possible in one step, and back.
    expect(value.add(of(least - most))).toBe(of(most));
    expect(value.value).toBe(of(least));
    expect(value.add(of(most - least))).toBe(of(least));
    expect(value.value).toBe(of(most));
  });
});

describe('a value', () => {
  it('refuses what its type cannot hold, by name', () => {
    using byte = create('uint8', 1) as unknown as Any;
    using int = create('int32', 1) as unknown as Any;
    using big = create('int64', 1n) as unknown as SharedValue<'int64'>;
    expectCode(() => (byte.value = 300), 'ERR_OUT_OF_RANGE', 'value', '255', '300');
    expectCode(() => byte.add(300), 'ERR_OUT_OF_RANGE', 'delta');
    expectCode(() => byte.add(255), 'ERR_OUT_OF_RANGE', 'delta', 'uint8');
    expectCode(() => (int.value = 1.5), 'ERR_OUT_OF_RANGE', 'integer', '1.5');
    expectCode(() => (int.value = NaN), 'ERR_OUT_OF_RANGE', 'NaN');
    expectCode(() => (int.value = Infinity), 'ERR_OUT_OF_RANGE');
    expectCode(() => (big.value = 1 as never), 'ERR_INVALID_ARG_TYPE', 'bigint', '1');
    expectCode(() => (int.value = 1n as never), 'ERR_INVALID_ARG_TYPE', 'number', '1n');
    expect([byte.value, int.value, big.value]).toEqual([1, 1, 1n]);
  });

  it.each(['float32', 'float64'] as const)('of %s holds what is no number, by its bits', (type) => {
    using value = create(type) as unknown as Any;
    const round = type === 'float32' ? Math.fround : (x: number) => x;
    for (const x of [NaN, -0, Infinity, -Infinity, 0.1, 1e300, 5e-324]) {
      value.value = x;
      expect(value.value).toBe(round(x));
      expect(value.compareExchange(Object.is(x, -0) ? 0 : -0, 1), '0 is not -0').toBe(round(x));
      value.value = x;
      expect(value.compareExchange(x, 2)).toBe(round(x));
      expect(value.value).toBe(2);
    }
    value.value = NaN;
    expect(value.add(1)).toBeNaN();
    expect(value.value).toBeNaN();
    value.value = -0;
    expect(value.waitSync(0), '-0 is not 0').toBe(-0);
    expectCode(() => value.waitSync(-0, { timeout: 0 }), 'ERR_TIMEOUT');
    value.value = NaN;
    expectCode(() => value.waitSync(NaN, { timeout: 0 }), 'ERR_TIMEOUT');
    value.value = 1e308;
    value.add(1e308);
    expect(value.value).toBe(Infinity);
  });

  it.each<[object | undefined, string, string]>([
    [undefined, 'ERR_INVALID_ARG_TYPE', 'options'],
    [{}, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: 'int' }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: 'Int32' }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: 'toString' }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: '__proto__' }, 'ERR_OUT_OF_RANGE', 'type'],
    [{ type: 5 }, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: Int32Array }, 'ERR_INVALID_ARG_TYPE', 'type'],
    [{ type: 'int8', value: 128 }, 'ERR_OUT_OF_RANGE', 'value'],
    [{ type: 'int8', value: null }, 'ERR_INVALID_ARG_TYPE', 'value'],
    [{ type: 'int64', value: 1 }, 'ERR_INVALID_ARG_TYPE', 'value'],
    [{ type: 'int8', values: 1 }, 'ERR_INVALID_ARG_VALUE', 'values'],
    [{ type: 'int8', length: 1 }, 'ERR_INVALID_ARG_VALUE', 'length'],
  ])('is not made of bad input: %o', (options, code, what) => {
    const name = uniqueName();
    expectCode(() => SharedValue.open(name, options as never), code, what);
    const named = options && ({ name, ...options } as never);
    expectCode(() => SharedValue.create(named as never), code, what);
    expectCode(() => SharedValue.attach(name), 'ENOENT', name);
  });

  it('is attached to by known options', () => {
    using value = create('int8');
    const attach = (options: object) => () => SharedValue.attach(value.name, options);
    expectCode(attach({ types: 'int8' }), 'ERR_INVALID_ARG_VALUE', 'types');
    expectCode(attach({ value: 1 }), 'ERR_INVALID_ARG_VALUE', 'value');
    expectCode(attach({ type: 'byte' }), 'ERR_OUT_OF_RANGE', 'type');
    expectCode(attach({ type: 8 }), 'ERR_INVALID_ARG_TYPE', 'type');
  });
});

describe('its lock', () => {
  it('is a lock as any, of the value alone', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    using other = temporary(SharedValue.create({ type: 'int32' }));
    using again = SharedValue.attach(value.name);
    using guard = value.lock.acquireSync();
    expect([guard.lock, value.lock.held, other.lock.locked]).toEqual([value.lock, true, false]);
    expect([again.lock.held, again.lock.locked, again.lock.tryAcquire()]).toEqual([
      false,
      true,
      null,
    ]);
    expectCode(() => again.lock.acquireSync(), 'ERR_DEADLOCK', value.name);
    await expectRejection(again.lock.acquire({ timeout: 5 }), 'ERR_TIMEOUT', value.name);
    const waiting = again.lock.runExclusive(() => again.lock.held);
    guard.release();
    expect(await waiting).toBe(true);
  });

  it('keeps nobody from reading or writing without it', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const peer = await Peer.start(value);
    using _held = value.lock.acquireSync();
    expect(await peer.call('add', 5)).toBe(0);
    expect(await peer.call('exchange', 6)).toBe(5);
    expect(value.value).toBe(6);
    const { outcome } = await peer.begin('lock.acquire');
    value.lock.release();
    expect(await outcome).toEqual({ held: true });
  });

  it('is what update() runs under, and goes ahead under when it is held', async () => {
    using value = temporary(SharedValue.create({ type: 'int32', value: 1 }));
    using other = SharedValue.attach(value.name);
    const result = value.update((n) => {
      expect([value.lock.held, other.lock.tryAcquire()]).toEqual([true, null]);
      return value.update((m) => m + n) * 10;
    });
    expect([result, value.value]).toEqual([20, 20]);
    await value.lock.runExclusive(() => {
      expect(value.update((n) => n + 1)).toBe(21);
      expect(value.lock.held, 'it is left as it was').toBe(true);
      expectCode(() => other.update((n) => n), 'ERR_DEADLOCK', value.name);
    });
    expect(value.lock.locked).toBe(false);
  });

  it('is released when what update() runs throws, and nothing was changed', () => {
    using value = temporary(SharedValue.create({ type: 'uint8', value: 3 }));
    const error = new Error('no');
    expect(() =>
      value.update(() => {
        throw error;
      }),
    ).toThrow(error);
    expectCode(() => value.update(() => 256), 'ERR_OUT_OF_RANGE', 'what fn returns');
    expectCode(() => value.update(() => undefined as never), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => value.update((() => Promise.resolve(1)) as never), 'ERR_INVALID_ARG_TYPE');
    expect([value.value, value.lock.locked]).toEqual([3, false]);
  });

  it.each(ends)('is handed on when it was held by %s, with the news', async (end) => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const holder = await Peer.startFor(end, value);
    await holder.call('lock.acquireSync');
    const waiting = value.lock.acquire();
    await holder.endBy(end);
    const guard = await waiting;
    expect(guard.abandoned).toBe(true);
    guard.release();
    expect(value.update((n) => n + 1)).toBe(1);
    expect(value.lock.acquireSync().abandoned).toBe(false);
    value.lock.release();
  });
});

describe('changes of four processes at once', () => {
  it('all come to be, each whole', async () => {
    const rounds = 2001;
    using int32 = temporary(SharedValue.create({ type: 'int32' }));
    using int64 = temporary(SharedValue.create({ type: 'int64', value: 10n }));
    using float64 = temporary(SharedValue.create({ type: 'float64' }));
    using floats = temporary(SharedArray.create({ type: 'float32', length: 3 }));
    using words = temporary(SharedArray.create({ type: 'uint16', length: 5 }));
    using updated = temporary(SharedValue.create({ type: 'int32' }));
    using updatedElement = temporary(SharedArray.create({ type: 'int64', length: 2 }));
    using tokens = temporary(SharedArray.create({ type: 'uint8', from: [9, 0, 0, 0, 0] }));
    const numbers = { int32, int64, float64, floats, words, updated, updatedElement, tokens };
    const children = [1, 2, 3, 4].map((i) => start('sync/atomics', [numbers, rounds, i]));
    const held: number[] = [];
    for (const child of children) {
      held.push((await child.hear<{ held: number }>()).held);
      await child.succeed();
    }
    const all = 4 * rounds;
    expect(int32.value).toBe(all);
    expect(int64.value).toBe(10n - 3n * BigInt(all));
    expect(float64.value).toBe(all / 2);
    expect([...floats]).toEqual([0, all, 0]);
    expect([...words]).toEqual([0, 0, 0, 0, all]);
    expect(updated.value).toBe(all);
    expect([...updatedElement]).toEqual([BigInt(all), 0n]);
    expect([...held, tokens.at(0)].sort(), 'no token was lost or doubled').toEqual([1, 2, 3, 4, 9]);
    expect([...tokens.slice(1)]).toEqual([1, 1, 1, 1]);
  });

  it('do not lead an integer beyond its type, whoever else is writing', async () => {
    const most = 2n ** 63n - 1n;
    using value = temporary(SharedValue.create({ type: 'int64' }));
    const child = start('sync/overflow', [value, String(most)]);
    expect(await child.hear()).toBe('writing');
    let added = 0;
    let refused = 0;
    const end = performance.now() + 1000;
    // Until the other process has been able to write as well.
    while (performance.now() < end || Math.min(added, refused) === 0) {
      for (let i = 0; i < 1000; i++) {
        try {
          value.add(1n);
          added++;
        } catch {
          refused++;
        }
      }
    }
    child.tell('end');
    expect(await child.hear()).toEqual({ wrapped: 0 });
    await child.succeed();
  });
});

describe('waiting', () => {
  it.each(forms)('ends when another has changed it and says so: %s', async (form) => {
    using value = temporary(SharedValue.create({ type: 'int32', value: -1 }));
    const rounds = 60;
    const child = start('sync/value-pong', [value, rounds]);
    for (let n = 0; n < 2 * rounds; n += 2) {
      value.value = n;
      value.notify();
      expect(form === 'sync' ? value.waitSync(n) : await value.wait(n)).toBe(n + 1);
    }
    expect(await child.hear()).toBe('done');
    await child.succeed();
  });

  it('ends at once where the value is another already', async () => {
    using value = temporary(SharedValue.create({ type: 'int64', value: 5n }));
    expect(value.waitSync(4n, { timeout: 0 })).toBe(5n);
    expect(await value.wait(4n, { timeout: 0 })).toBe(5n);
    expectCode(() => value.waitSync(5n, { timeout: 0 }), 'ERR_TIMEOUT', value.name);
    expectCode(() => value.waitSync(5 as never), 'ERR_INVALID_ARG_TYPE', 'expected');
    expectCode(() => value.waitSync(2n ** 63n), 'ERR_OUT_OF_RANGE', 'expected');
    await expectRejection(value.wait(5 as never), 'ERR_INVALID_ARG_TYPE', 'expected');
  });

  it('goes on where it was told of a change that is none to it', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const took = await timed(async () => {
      const waiting = expectRejection(value.wait(0, { timeout: 60 }), 'ERR_TIMEOUT');
      for (let i = 0; i < 5; i++) {
        value.notify();
        await new Promise(setImmediate);
      }
      await waiting;
    });
    expect(took).toBeGreaterThanOrEqual(60);
  });

  it('sees a change made in any way, be it through a lock or none', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const changes = [
      () => value.add(1),
      () => value.update((n) => n + 1),
      () => value.exchange(3),
      () => value.compareExchange(3, 4),
      () => (value.value = 5),
    ];
    for (const [i, change] of changes.entries()) {
      const waiting = [value.wait(i), value.wait(i), value.wait(i)];
      change();
      value.notify();
      expect(await Promise.all(waiting)).toEqual([i + 1, i + 1, i + 1]);
    }
  });

  it('is ended for as many as are notified, and for the others in time', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const waits: Promise<unknown>[] = [];
    for (const being of beings) {
      const peer = await Peer.start(value, being);
      waits.push((await peer.begin('wait', 0)).outcome, (await peer.begin('waitSync', 0)).outcome);
    }
    value.value = 1;
    value.notify(1);
    await Promise.race(waits);
    value.notify(0);
    // Waiters look from time to time, because a notified waiter may have died.
    expect(new Set(await Promise.all(waits))).toEqual(new Set([1]));
    for (const count of [2 ** 32, Number.MAX_SAFE_INTEGER]) value.notify(count);
    for (const count of [-1, 1.5, NaN, Infinity]) {
      expectCode(() => value.notify(count), 'ERR_OUT_OF_RANGE', 'count');
    }
    for (const count of ['1', 1n, null] as never[]) {
      expectCode(() => value.notify(count), 'ERR_INVALID_ARG_TYPE', 'count');
    }
  });

  it('of one who is killed is noticed by nobody', async () => {
    using value = temporary(SharedValue.create({ type: 'int32' }));
    const doomed = [await Peer.start(value), await Peer.start(value, 'worker')];
    await doomed[0]!.begin('waitSync', 0);
    await doomed[1]!.begin('wait', 0);
    const own = value.wait(0);
    for (const peer of doomed) await peer.end();
    value.value = 2;
    value.notify();
    expect(await own).toBe(2);
  });
});
