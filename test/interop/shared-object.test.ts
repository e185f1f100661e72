// What Python reads of a SharedObject by python/shmkit.py.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Manager, SharedArray, SharedMemory, SharedObject } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { temporary } from '../support/temporaries';

const isThere = spawnSync('python3', ['-c', 'import ctypes']).status === 0;
const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
const isLinux = process.platform === 'linux';

/** What a program prints that has the module, and a handle as `handle`. Flags are those of Python. */
function inPython(handle: object, program: string, ...flags: string[]): string {
  const source = `
import json, sys
import shmkit
handle = json.loads(sys.argv[1])
def code(act):
    try:
        act()
        return "fine"
    except Exception as error:
        return getattr(error, "code", type(error).__name__)
${program}`;
  const args = ['-B', ...flags, '-c', source, JSON.stringify(handle)];
  const env = { ...process.env, PYTHONPATH: path.resolve('python') };
  const { status, stdout, stderr } = spawnSync('python3', args, { encoding: 'utf8', env });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim();
}

describe.runIf(isThere && isLinux)('Python (skipped where there is no python3)', () => {
  const numbers = Float64Array.from({ length: 10_000 }, (_, i) => i / 2);
  /** As Python prints it. */
  const sum = '24997500.0';
  const from = {
    numbers,
    part: new Uint8Array(numbers.buffer, 8, 16),
    small: Int16Array.of(-1, 2, 3),
    empty: new ArrayBuffer(0),
    text: 'not for Python',
  };

  it('has the buffers of a value, where they lie', () => {
    using object = SharedObject.create({ from });
    const said = inPython(
      object,
      `
with shmkit.attach(handle) as shared:
    numbers, small, empty = shared.buffers
    print(shared.name == handle["name"], [len(each) for each in shared.buffers])
    print(sum(numbers.cast("d")), list(small.cast("h")), numbers.readonly)
    print(code(lambda: numbers.__setitem__(0, 1)))
    print(code(shared.close))
    del numbers, small, empty
print(shared.buffers)`,
      '-S',
    );
    expect(said.split('\n')).toEqual([
      'True [80000, 6, 0]',
      `${sum} [-1, 2, 3] True`,
      'TypeError',
      'BufferError',
      '[]',
    ]);
    expect(object.value.numbers).toEqual(numbers);
    expect(object.holders).toBe(1);
  });

  it.runIf(hasNumpy)('makes numpy arrays of them (skipped without numpy)', () => {
    using object = SharedObject.create({ from });
    const said = inPython(
      object,
      `
import numpy
shared = shmkit.SharedObject(handle["name"])
array = numpy.frombuffer(shared.buffers[0], "float64")
print(array.sum(), array.ctypes.data % 64, array.flags.writeable)`,
    );
    expect(said).toBe(`${sum} 0 False`);
  });

  it('has buffers that are one, and objects of a manager', () => {
    using manager = Manager.create();
    const buffer = new ArrayBuffer(9000);
    const parts = [Buffer.from(buffer, 0, 100), Buffer.from(buffer, 200, 100)];
    const object = manager.object([...parts, Buffer.from(buffer, 50, 200)]);
    const said = inPython(object, 'print([len(each) for each in shmkit.attach(handle).buffers])');
    expect(said).toBe('[300, 300]');
    object.close();
  });

  it('has buffers that are in other objects, and those of a draft', () => {
    using array = temporary(SharedArray.create({ type: 'float64', from: numbers }));
    using memory = temporary(SharedMemory.create({ size: 8192 }));
    memory.write(0, Buffer.from('in memory'));
    using inner = SharedObject.create({ from: [new Uint8Array(5000), numbers] });
    using draft = SharedObject.allocate({ size: 8 * numbers.length });
    new Float64Array(draft.buffer).set(numbers);
    using object = draft.seal({
      inner: inner.value[1],
      array: array.array,
      memory: memory.array('uint8'),
      own: new Float64Array(draft.buffer),
      small: Uint8Array.of(1, 2),
    });
    const said = inPython(
      object,
      `
with shmkit.attach(handle) as shared:
    for each in shared.buffers[:2] + shared.buffers[3:4]:
        print(sum(each.cast("d")))
    print(bytes(shared.buffers[2][:9]), len(shared.buffers[2]), bytes(shared.buffers[4]))
    del each`,
    );
    expect(said.split('\n')).toEqual([sum, sum, sum, "b'in memory' 8192 b'\\x01\\x02'"]);
  });

  it('reads what is a file in another directory', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'spill-'));
    const object = SharedObject.create({ name: `file:${directory}/mine`, from: numbers });
    const said = inPython(object, 'print(sum(shmkit.attach(handle).buffers[0].cast("d")))');
    expect(said).toBe(sum);
    expect(readdirSync(directory)).toEqual(['shmkit.object.mine']);
    object.close();
    rmdirSync(directory);
    expect(inPython(object, 'print(code(lambda: shmkit.attach(handle)))')).toBe(
      'FileNotFoundError',
    );
  });

  it('unlinks nothing, and keeps the memory that nobody else holds any more', () => {
    const object = SharedObject.create({ from: numbers });
    const file = `/dev/shm/shmkit.object.${object.name}`;
    inPython(object, 'kept = shmkit.attach(handle)');
    expect(existsSync(file)).toBe(true);
    object.close();
    expect(inPython(object, 'print(code(lambda: shmkit.attach(handle)))')).toBe(
      'FileNotFoundError',
    );
  });

  it.each([
    ['another format', 40, 7, 'ERR_ABI_MISMATCH'],
    ['another version', 4, 9, 'ERR_ABI_MISMATCH'],
    ['too many buffers', -8, 1e9, 'ERR_CORRUPT'],
    ['no number of buffers', -8, NaN, 'ERR_CORRUPT'],
    ['a buffer outside', -32, 1e9, 'ERR_CORRUPT'],
    ['a buffer at no number', -32, Infinity, 'ERR_CORRUPT'],
    ['a buffer of a later one', -56, -7, 'ERR_CORRUPT'],
    ['a front outside', -24, 1e9, 'ERR_CORRUPT'],
    ['references outside', -16, 1e9, 'ERR_CORRUPT'],
    ['a reference that is not there', -64, 1, 'ERR_CORRUPT'],
    ['a reference at no number', -64, NaN, 'ERR_CORRUPT'],
  ])('refuses %s', (_, at, value, code) => {
    const object = SharedObject.create({ from: numbers });
    const file = `/dev/shm/shmkit.object.${object.name}`;
    const bytes = readFileSync(file);
    const dataAt = bytes.readUInt32LE(12);
    if (at >= 0) bytes.writeUInt32LE(value, at);
    else bytes.writeDoubleLE(value, dataAt - at);
    if (at === -56) bytes.writeDoubleLE(-1, dataAt + 32);
    writeFileSync(file, bytes);
    expect(inPython(object, 'print(code(lambda: shmkit.attach(handle)))')).toBe(code);
    object.unlink();
    object.close();
  });
});
