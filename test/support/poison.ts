// Values that cannot be read, grouped by the reason.
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { SharedValue } from 'shmkit';
import { layout, type ObjectKind } from '../../lib/shm/core/layout';
import { onLinux } from './system';
import { dataAt } from './words';

/** A value that is put into a structure, and the way in which it becomes unreadable. */
export interface Poison extends Disposable {
  readonly value: unknown;
  /** The name of the shared object that cannot be attached to, if that is the reason. */
  readonly missing: string | undefined;
  /** Makes the value unreadable, after it was put into a structure and before anything has read it. */
  spoil(kind: ObjectKind, name: string): void;
}

export interface Reason {
  readonly why: string;
  readonly code: string;
  /** What the message says about it. */
  readonly said: RegExp;
  make(): Poison;
}

export const reasons: Reason[] = [
  {
    why: 'holds a shared object that is gone',
    code: 'ENOENT',
    said: /is gone/,
    make: () => withShared((shared) => ({ id: 2, reply: shared })),
  },
  {
    why: 'is a shared object that is gone',
    code: 'ENOENT',
    said: /is gone/,
    make: () => withShared((shared) => shared),
  },
  {
    why: 'holds several shared objects, of which one is gone',
    code: 'ENOENT',
    said: /is gone/,
    make: () => withShared((shared) => new Map([['list', [1, { deep: new Set([shared]) }]]])),
  },
  ...(onLinux
    ? [
        {
          why: 'holds a shared object of another version',
          code: 'ERR_ABI_MISMATCH',
          said: /layout version 99/,
          make: () => withHeader(layout.versionAt, Buffer.from(Int16Array.of(99).buffer)),
        },
        {
          why: 'holds a shared object that was overwritten',
          code: 'ERR_CORRUPT',
          said: /does not begin/,
          make: () => withHeader(0, Buffer.from('nonsense')),
        },
        {
          why: 'is of a kind that a later version has',
          code: 'ERR_ABI_MISMATCH',
          said: /kind 'valve'/,
          make: () => withBytes('"value"', '"valve"'),
        },
        {
          why: 'has bytes that make no sense',
          code: 'ERR_CORRUPT',
          said: /not a valid handle/,
          make: () => withBytes('{"shmkit"', '}"shmkit"'),
        },
      ]
    : []),
];

/** Overwrites a sequence of bytes that is found in an object. */
export function overwrite(
  kind: ObjectKind,
  name: string,
  found: string,
  by: string | Buffer,
  shift = 0,
) {
  const file = `/dev/shm/shmkit.${kind}.${name}`;
  const at = readFileSync(file).indexOf(found);
  if (at < 0) throw new Error(`there is no ${found} in ${file}`);
  const bytes = typeof by === 'string' ? Buffer.from(by) : by;
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, bytes, 0, bytes.length, at + shift);
  closeSync(descriptor);
}

/** Overwrites the words of a list element: its kind, and the position of its value. The value is a text. */
export function overwriteElement(
  kind: ObjectKind,
  name: string,
  text: string,
  change: (words: Int32Array) => void,
): void {
  const file = `/dev/shm/shmkit.${kind}.${name}`;
  const descriptor = openSync(file, 'r+');
  const bytes = readFileSync(file);
  const pointer = (bytes.indexOf(text) - dataAt(descriptor)) / 8;
  const size = Buffer.byteLength(text);
  // Only one slot has these words.
  const slots = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  const at = slots.findIndex((word, i) => word >>> 4 === size && slots[i + 1] === pointer);
  if (at < 0) throw new Error(`no element of ${file} is ${text}`);
  const words = slots.slice(at, at + 4);
  change(words);
  writeSync(descriptor, Buffer.from(words.buffer), 0, 16, 4 * at);
  closeSync(descriptor);
}

/** Makes an entry of a dict link to itself as the next entry. */
export function leadToItself(name: string, found: string): void {
  const file = `/dev/shm/shmkit.dict.${name}`;
  const descriptor = openSync(file, 'r+');
  const entry = readFileSync(file).indexOf(found) - 16;
  const pointer = Int32Array.of((entry - dataAt(descriptor)) / 8);
  writeSync(descriptor, Buffer.from(pointer.buffer), 0, 4, entry);
  closeSync(descriptor);
}

function withShared(around: (shared: unknown) => unknown): Poison {
  const shared = SharedValue.create({ type: 'int32' });
  const remove = () => {
    if (shared.closed) return;
    shared.unlink();
    shared.close();
  };
  return {
    value: around(shared),
    missing: shared.name,
    spoil: remove,
    [Symbol.dispose]: remove,
  };
}

function withHeader(at: number, bytes: Buffer): Poison {
  const shared = SharedValue.create({ type: 'int32' });
  const file = `/dev/shm/shmkit.value.${shared.name}`;
  return {
    value: { reply: shared },
    missing: shared.name,
    spoil() {
      shared.close();
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, bytes, 0, bytes.length, at);
      closeSync(descriptor);
    },
    // This library must not remove it by its name, because it has another version.
    [Symbol.dispose]: () => {
      unlinkSync(file);
    },
  };
}

function withBytes(found: string, by: string): Poison {
  const shared = SharedValue.create({ type: 'int32' });
  return {
    value: shared,
    missing: undefined,
    spoil: (kind, name) => {
      overwrite(kind, name, found, by);
    },
    [Symbol.dispose]: () => {
      shared.unlink();
      shared.close();
    },
  };
}
