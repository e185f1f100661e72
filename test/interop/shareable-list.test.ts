import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { ShareableList, type ShareableValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Child } from '../support/children';
import { uniqueName } from '../support/names';

const python = ['python3', 'python'].find(
  (command) => spawnSync(command, ['-c', 'from multiprocessing import shared_memory']).status === 0,
);

/** A value in the JSON form of both sides. shareable_list_peer.py explains why. */
type Tagged = [type: string, text: string];

class Peer {
  readonly #child = new Child(
    spawn(python!, [path.resolve('test/interop/shareable_list_peer.py')]),
  );

  async ask<T = unknown>(...command: unknown[]): Promise<T> {
    this.#child.tell(command);
    return this.#child.hear<T>();
  }

  async end(): Promise<void> {
    this.#child.process.stdin!.end();
    await this.#child.succeed();
  }
}

function hexOf(list: ShareableList): string {
  return Buffer.from(list.shm.read()).toString('hex');
}

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** The forms of values on both sides. Strings that are not ASCII fit CPython's sizes by chance. */
const values: [string, ShareableValue, Tagged][] = [
  ['0', 0, ['int', '0']],
  ['an integer', -123_456, ['int', '-123456']],
  ['2^53', 2n ** 53n, ['int', '9007199254740992']],
  ['the largest int64', 2n ** 63n - 1n, ['int', '9223372036854775807']],
  ['the least int64', -(2n ** 63n), ['int', '-9223372036854775808']],
  ['a fraction', 2.5, ['float', '0x1.4000000000000p+1']],
  ['-0', -0, ['float', '-0x0.0p+0']],
  ['Infinity', Infinity, ['float', 'inf']],
  ['NaN', NaN, ['float', 'nan']],
  ['a large number', 2 ** 60, ['float', '0x1.0000000000000p+60']],
  ['true', true, ['bool', 'true']],
  ['false', false, ['bool', 'false']],
  ['None', null, ['None', '']],
  ['an empty string', '', ['str', '']],
  ['a string of 7', 'abcdefg', ['str', 'abcdefg']],
  ['a string of 8', 'abcdefgh', ['str', 'abcdefgh']],
  ['a long string', 'x'.repeat(1000), ['str', 'x'.repeat(1000)]],
  ['UTF-8', 'héllo', ['str', 'héllo']],
  ['UTF-8 of four bytes', '💥', ['str', '💥']],
  ['a string with NUL inside', 'a\0b', ['str', 'a\0b']],
  ['no bytes', new Uint8Array(0), ['bytes', '']],
  ['bytes', Uint8Array.of(0, 255, 1), ['bytes', '00ff01']],
  ['many bytes', new Uint8Array(100).fill(7), ['bytes', '07'.repeat(100)]],
];
const ours = values.map(([, value]) => value);
const theirs = values.map(([, , tagged]) => tagged);

describe.runIf(python)('CPython’s ShareableList (skipped where there is no python3)', () => {
  it('has the same bytes for the same values', async () => {
    const peer = new Peer();
    const name = uniqueName('list');
    const lists = [
      [],
      ...values.map((_, i) => [i]),
      values.map((_, i) => i),
      values.map((_, i) => values.length - 1 - i),
    ];
    for (const picks of lists) {
      const made = await peer.ask(
        'create',
        name,
        picks.map((i) => theirs[i]),
      );
      await peer.ask('unlink');
      using list = ShareableList.create({ from: picks.map((i) => ours[i]!) });
      list.unlink();
      expect(hexOf(list)).toBe(made);
    }
    await peer.end();
  });

  it('reads lists made here', async () => {
    const peer = new Peer();
    for (const lock of [false, true]) {
      using list = ShareableList.create({ from: ours, lock });
      expect(await peer.ask('attach', list.name)).toBe(ours.length);
      expect(await peer.ask('all')).toEqual(theirs);
      expect(await peer.ask('get', -1)).toEqual(theirs.at(-1));
      expect(await peer.ask('format')).toBe(list.format);
      await peer.ask('close');
      list.unlink();
    }
    await peer.end();
  });

  it('makes lists that are read here', async () => {
    const peer = new Peer();
    const name = uniqueName('list');
    await peer.ask('create', name, theirs);
    for (const lock of [false, true]) {
      using list = ShareableList.attach(name, { lock });
      expect(list.toArray()).toStrictEqual(ours);
      expect(list.at(-1)).toStrictEqual(ours.at(-1));
      expect([list.format, list.crashSafe]).toEqual([await peer.ask('format'), false]);
      list.lock?.unlink();
    }
    await peer.ask('unlink');
    await peer.end();
  });

  it('reads strings that it would have given too small a slot', async () => {
    const peer = new Peer();
    using list = ShareableList.create({ from: ['ééééé', '💥💥💥', 1] });
    await peer.ask('attach', list.name);
    expect(await peer.ask('all')).toEqual([
      ['str', 'ééééé'],
      ['str', '💥💥💥'],
      ['int', '1'],
    ]);
    list.unlink();
    await peer.end();
  });

  it('takes the longest string that there can be', async () => {
    const peer = new Peer();
    const most = 'x'.repeat(9_999_991);
    using list = ShareableList.create({ from: [most, 1] });
    await peer.ask('attach', list.name);
    expect(await peer.ask('get', 0)).toEqual(['str', most]);
    await peer.ask('set', 0, ['str', `${most}y`]);
    expect(list.at(0)).toBe(`${most}y`);
    await peer.ask('close');
    list.unlink();
    const made = uniqueName('list');
    await peer.ask('create', made, [['str', most]]);
    using other = ShareableList.attach(made);
    expect([other.at(0) === most, other.format]).toEqual([true, '9999992s']);
    await peer.ask('unlink');
    await peer.end();
  });

  it('sees assignments, and what it assigns is seen; both leave the same bytes', async () => {
    const peer = new Peer();
    const slots: ShareableValue[] = [1, 2.5, 'r'.repeat(20), bytes('abc'), null, true, 'x'];
    using here = ShareableList.create({ from: slots });
    using there = ShareableList.create({ from: slots });
    await peer.ask('attach', there.name);
    let assignments = 0;
    for (const [, value, tagged] of values) {
      for (let i = 0; i < slots.length; i++) {
        const index = assignments % 2 === 0 ? i : i - slots.length;
        // A number that is assigned to a float stays a float here. The difference is intended.
        const keepsFloat = typeof value === 'number' && here.format !== (await peer.ask('format'));
        if (keepsFloat || (tagged[0] === 'int' && typeof here.at(i) === 'number')) {
          here.set(index, null);
          await peer.ask('set', index, ['None', '']);
        }
        const said = await peer.ask<string | { error: string }>('set', index, tagged);
        if (typeof said === 'object') {
          expect(said.error).toBe('ValueError');
          expect(() => here.set(index, value)).toThrow(/room/);
        } else {
          here.set(index, value);
          assignments++;
        }
        expect(hexOf(here)).toBe(hexOf(there));
        expect(there.at(index)).toStrictEqual(here.at(index));
        const read = await peer.ask('get', index);
        if (typeof said !== 'object') expect(read).toEqual(tagged);
      }
    }
    expect(assignments).toBeGreaterThan(100);
    here.unlink();
    there.unlink();
    await peer.end();
  });

  it('reads what was assigned here, in place', async () => {
    const peer = new Peer();
    const room = 'r'.repeat(1001);
    for (const lock of [false, true]) {
      using list = ShareableList.create({ from: [room, room], lock });
      await peer.ask('attach', list.name);
      for (const [, value, tagged] of values) {
        list.set(0, null);
        list.set(0, value);
        expect(await peer.ask('get', 0)).toEqual(tagged);
        await peer.ask('set', 1, tagged);
        expect(list.at(1)).toStrictEqual(value);
      }
      await peer.ask('close');
      list.unlink();
    }
    await peer.end();
  });

  it('finds a float where a float was, though it came out even', async () => {
    const peer = new Peer();
    using list = ShareableList.create({ from: Float64Array.of(1) });
    await peer.ask('attach', list.name);
    list.set(0, 3);
    expect(await peer.ask('get', 0)).toEqual(['float', '0x1.8000000000000p+1']);
    list.set(0, 3n);
    expect(await peer.ask('get', 0)).toEqual(['int', '3']);
    await peer.ask('close');
    list.unlink();
    await peer.end();
  });

  it('fails to assign what is refused here, but has changed the element', async () => {
    const peer = new Peer();
    using list = ShareableList.create({ from: ['abc', 5] });
    await peer.ask('attach', list.name);
    expect(() => list.set(0, 2n ** 63n)).toThrow(RangeError);
    expect(await peer.ask('get', 0)).toEqual(['str', 'abc']);
    expect(await peer.ask('set', 0, ['int', String(2n ** 63n)])).toEqual({ error: 'error' });
    expect(list.format).toBe('qq');
    await peer.ask('close');
    list.unlink();
    await peer.end();
  });
});
