import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SharedArray, type ElementType } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { Child } from '../support/children';
import { uniqueName } from '../support/names';

const numpy = ['python3', 'python'].find(
  (command) => spawnSync(command, ['-c', 'import numpy']).status === 0,
);

class Peer {
  readonly #child = new Child(
    spawn(numpy!, ['-B', path.resolve('test/interop/shared_array_peer.py')], {
      env: { ...process.env, PYTHONPATH: path.resolve('python') },
    }),
  );

  async ask<T = unknown>(...command: unknown[]): Promise<T> {
    this.#child.tell(command);
    return this.#child.hear<T>();
  }

  /** Also waits for Python's resource tracker, which is a separate process and ends after Python. */
  async end(): Promise<void> {
    this.#child.process.stdin!.end();
    await this.#child.succeed();
  }

  async die(): Promise<void> {
    await this.#child.kill();
  }
}

function hexOf({ array }: SharedArray): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('hex');
}

function fileOf(name: string): string {
  return `/dev/shm/shmkit.array.${name}`;
}

/** For each type its extreme values, and values that are easily changed on the way. */
const samples: Record<ElementType, readonly (number | bigint)[]> = {
  int8: [-128, -1, 0, 1, 127],
  uint8: [0, 1, 127, 128, 255],
  int16: [-32_768, -1, 0, 258, 32_767],
  uint16: [0, 1, 258, 32_768, 65_535],
  int32: [-(2 ** 31), -1, 0, 0x01020304, 2 ** 31 - 1],
  uint32: [0, 1, 0x01020304, 2 ** 31, 2 ** 32 - 1],
  int64: [-(2n ** 63n), -1n, 0n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  uint64: [0n, 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n],
  float32: [-Infinity, -0, 1.5, 2 ** -149, NaN],
  float64: [-Infinity, -0, 0.1, Number.MIN_VALUE, NaN],
};
const types = Object.keys(samples) as ElementType[];

function made(type: ElementType): SharedArray {
  const from = samples[type] as Iterable<never>;
  return SharedArray.create<ElementType>({ name: uniqueName('array'), type, from });
}

describe.runIf(numpy)('numpy (skipped where there is no python3 with numpy)', () => {
  it.each(types)('sees and changes an array of %s in place', async (type) => {
    using array = made(type);
    const peer = new Peer();
    expect(await peer.ask('attach', array.name, type)).toEqual([type, samples[type].length]);

    expect(await peer.ask('read')).toBe(hexOf(array));
    await peer.ask('reverse');
    expect([...array]).toEqual([...samples[type]].reverse());

    array.array.fill(samples[type][2] as never);
    array.set(1, samples[type][1] as never);
    expect(await peer.ask('read')).toBe(hexOf(array));

    const other = made(type);
    await peer.ask('write', hexOf(other));
    expect(hexOf(array)).toBe(hexOf(other));
    other.unlink();
    other.close();

    await peer.end();
    array.unlink();
  });

  it('reads an array as docs/memory-layout.md does, and leaves it there', () => {
    using array = made('float64');
    const text = readFileSync('docs/memory-layout.md', 'utf8');
    const [snippet, ...others] = [...text.matchAll(/^```python\n([^]*?)^```/gm)].map(
      ([, code]) => code!,
    );
    expect(others).toEqual([]);
    const program = `${snippet!.replaceAll('NAME', array.name)}\nprint(array.tobytes().hex())`;
    const { status, stdout, stderr } = spawnSync(numpy!, ['-c', program], { encoding: 'utf8' });
    expect([status, stdout.trim()], stderr).toEqual([0, hexOf(array)]);
    // If the resource tracker had unlinked the array, it would have printed a message.
    expect(stderr).not.toContain('resource_tracker');
    expect(existsSync(fileOf(array.name))).toBe(true);
    array.unlink();
  });

  it('computes where the numbers lie', async () => {
    using array = SharedArray.create({ from: Float64Array.from({ length: 100_000 }, (_, i) => i) });
    const peer = new Peer();
    await peer.ask('attach', array.name);
    await peer.ask('double');
    expect(array.slice()).toEqual(Float64Array.from({ length: 100_000 }, (_, i) => 2 * i));
    await peer.end();
    array.unlink();
  });

  it.each(['closes and ends', 'ends without closing', 'is killed'])(
    'leaves the array where it is when it %s',
    async (end) => {
      using array = made('float64');
      const peer = new Peer();
      await peer.ask('attach', array.name);
      if (end === 'closes and ends') await peer.ask('close');
      await (end === 'is killed' ? peer.die() : peer.end());
      expect(existsSync(fileOf(array.name))).toBe(true);
      using again = SharedArray.attach(array.name, { type: 'float64' });
      expect([...again]).toEqual(samples.float64);
      array.unlink();
    },
  );

  it('attaches to nothing of another name or type', async () => {
    using array = made('int32');
    const peer = new Peer();
    expect(await peer.ask('attach', array.name, 'float32')).toEqual({
      error: 'TypeError',
      message: `array '${array.name}' has elements of int32, not float32`,
    });
    expect(await peer.ask('attach', uniqueName())).toMatchObject({ error: 'FileNotFoundError' });
    await peer.end();
    array.unlink();
  });

  const lies: [string, RegExp, (bytes: Buffer) => unknown][] = [
    ['another magic', /no header of shmkit/, (bytes) => bytes.write('SHMQ')],
    ['another version', /layout version 3/, (bytes) => bytes.writeUInt16LE(3, 4)],
    ['another kind', /is a value, not of kind array/, (bytes) => bytes.writeUInt16LE(2, 6)],
    ['data inside of the header', /contradicts/, (bytes) => bytes.writeUInt32LE(64, 12)],
    ['data at an odd place', /contradicts/, (bytes) => bytes.writeUInt32LE(260, 12)],
    ['data beyond the end', /contradicts/, (bytes) => bytes.writeUInt32LE(1 << 20, 12)],
    ['no type', /type 0 is unknown/, (bytes) => bytes.writeUInt32LE(0, 40)],
    ['an unknown type', /type 11 is unknown/, (bytes) => bytes.writeUInt32LE(11, 40)],
    ['too great a length', /too small/, (bytes) => bytes.writeBigUInt64LE(2n ** 64n - 1n, 48)],
    ['only 55 bytes', /has 55 bytes/, (bytes) => bytes.subarray(0, 55)],
    ['no bytes', /is empty/, (bytes) => bytes.subarray(0, 0)],
    ['an unfinished state', /has not finished/, (bytes) => bytes.writeUInt32LE(0, 64)],
  ];
  it.each(lies)('takes no object with %s for an array', async (_, message, lie) => {
    using array = made('float64');
    const bytes = readFileSync(fileOf(array.name));
    array.unlink();
    const said = lie(bytes);
    const name = uniqueName('lie');
    writeFileSync(fileOf(name), Buffer.isBuffer(said) ? said : bytes);
    const peer = new Peer();
    const refusal = await peer.ask<{ error: string; message: string }>('attach', name);
    expect(refusal.error).toBe('Error');
    expect(refusal.message).toMatch(message);
    await peer.end();
    rmSync(fileOf(name));
  });
});
