// Bytes in shared memory are input: the content of a list may be anything when it is attached, or later.
import { NamedLock, ShareableList, SharedMemory, type ShareableValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';

const values: ShareableValue[] = [1, 2.5, 'héllo', Uint8Array.of(1, 2), null, true, 'x'.repeat(20)];
const allowed = /^(ERR_CORRUPT|ERR_CAPACITY)$/;

/** The bytes of a list with these values, with or without a journal. */
function bytesOf(lock: NamedLock | false): Uint8Array {
  using list = ShareableList.create({ from: values, lock });
  list.unlink();
  return list.shm.read();
}

function tolerate(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!allowed.test(code)) throw error;
  }
}

/** Calls all operations of a list. The result may be wrong, but there must be a result. */
function use(list: ShareableList): void {
  for (let i = 0; i < Math.min(list.length, 100); i++) tolerate(() => list.at(i));
  tolerate(() => list.toArray());
  tolerate(() => list.format);
  for (let i = 0; i < Math.min(list.length, 100); i++) {
    for (const value of [5, 0.5, 'ab', null, 'y'.repeat(12)]) tolerate(() => list.set(i, value));
  }
}

describe('hostile bytes', () => {
  it.each(['plain', 'journal'])('are errors or wrong values: each byte flipped, %s', (kind) => {
    using lock = NamedLock.create();
    const option = kind === 'journal' ? lock : false;
    const whole = bytesOf(option);
    using memory = SharedMemory.create({ name: uniqueName(), size: whole.length });
    const bytes = memory.array('uint8');
    for (let at = 0; at < whole.length; at++) {
      for (const flip of [0x01, 0x04, 0x10, 0x40, 0x80, 0xff]) {
        bytes.set(whole);
        using before = ShareableList.attach(memory.name, { lock: option });
        bytes[at]! ^= flip;
        use(before);
        bytes.set(whole);
        bytes[at]! ^= flip;
        tolerate(() => {
          using after = ShareableList.attach(memory.name, { lock: option });
          use(after);
        });
      }
    }
    bytes.set(whole);
    using list = ShareableList.attach(memory.name, { lock: option });
    expect(list.toArray()).toEqual(values);
    memory.unlink();
    lock.unlink();
  });

  it('are errors or wrong values: random', () => {
    using lock = NamedLock.create();
    const whole = bytesOf(lock);
    using memory = SharedMemory.create({ name: uniqueName(), size: whole.length });
    const bytes = memory.array('uint8');
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let round = 0; round < 3000; round++) {
      bytes.set(whole);
      using list = ShareableList.attach(memory.name, { lock });
      for (let n = random(20); n >= 0; n--) bytes[random(whole.length)] = random(256);
      use(list);
      tolerate(() => {
        using again = ShareableList.attach(memory.name, { lock });
        use(again);
      });
    }
    memory.unlink();
    lock.unlink();
  });

  it('are refused by attach, with the reason', () => {
    const whole = bytesOf(false);
    const [first, formats, codes] = [8 * 9, whole.length - 9 * 7, whole.length - 7];
    const faults: [string, (view: DataView) => void, string][] = [
      ['length -1', (view) => view.setBigInt64(0, -1n, true), 'length'],
      ['length too large', (view) => view.setBigInt64(0, 1000n, true), 'length'],
      ['length enormous', (view) => view.setBigInt64(0, 2n ** 62n, true), 'length'],
      ['first offset', (view) => view.setBigInt64(8, 8n, true), 'offset'],
      ['offset backwards', (view) => view.setBigInt64(24, 0n, true), 'offset'],
      ['offset not aligned', (view) => view.setBigInt64(16, 12n, true), 'offset'],
      ['slot too large', (view) => view.setBigInt64(first - 8, 80_000_000n, true), 'offset'],
      ['end too far', (view) => view.setBigInt64(first - 8, 800n, true), 'needs'],
      ['no such format', (view) => view.setUint8(formats, 0x69), 'element 0'],
      ['text longer than its slot', (view) => view.setUint8(formats + 16, 0x39), 'element 2'],
      ['no such code', (view) => view.setInt8(codes + 1, 4), 'element 1'],
      ['negative code', (view) => view.setInt8(codes + 1, -1), 'element 1'],
    ];
    for (const [what, fault, said] of faults) {
      using memory = SharedMemory.create({ name: uniqueName(), size: whole.length });
      memory.array('uint8').set(whole);
      fault(new DataView(memory.buffer));
      expectCode(() => ShareableList.attach(memory.name), 'ERR_CORRUPT', memory.name, said);
      memory.unlink();
      expect(what).toBeTruthy();
    }
  });

  it('are told from a list by attach', () => {
    for (const size of [1, 15, 17, 100]) {
      using memory = SharedMemory.create({ name: uniqueName(), size });
      expectCode(() => ShareableList.attach(memory.name), 'ERR_CORRUPT', memory.name, String(size));
      memory.unlink();
    }
  });

  it('of one element harm no other, and set() makes it whole', () => {
    using list = ShareableList.create({ from: values });
    list.unlink();
    const bytes = list.shm.array('uint8');
    bytes[bytes.length - 7] = 3;
    expectCode(() => list.at(0), 'ERR_CORRUPT', list.name, 'element 0', '"q"', 'code 3');
    expectCode(() => list.toArray(), 'ERR_CORRUPT');
    expect(list.at(1)).toBe(2.5);
    list.set(0, 5);
    expect(list.toArray()).toEqual([5, ...values.slice(1)]);
  });

  it('that are not UTF-8 are no string', () => {
    using list = ShareableList.create({ from: [Uint8Array.of(0xc3, 0x28), 'fine'] });
    list.unlink();
    const bytes = list.shm.array('uint8');
    bytes[bytes.length - 2] = 1;
    expectCode(() => list.at(0), 'ERR_CORRUPT', 'element 0', 'UTF-8');
    expect(list.at(1)).toBe('fine');
  });
});
