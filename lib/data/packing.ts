import type { Packr } from 'msgpackr';
import { attachShared, isShared, type AnyHandle } from './handles';

type Module = typeof import('msgpackr');
type Engine = Pick<typeof import('node:v8'), 'serialize' | 'deserialize'>;

/** What stands for a shared object in packed bytes: an extension type of our own. */
const sharedType = 0x53;

let packr: Packr | undefined;
let engine: Engine | undefined;

/** msgpackr, loaded when the first value needs it: that takes longer than to load all of this. */
function thePackr(): Packr {
  return (packr ??= makePackr());
}

function makePackr(): Packr {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const module = require('msgpackr') as Module;
  module.addExtension({
    Class: SharedMark,
    type: sharedType,
    write: ({ handle }: SharedMark) => handle,
    read: (handle: AnyHandle) => attachShared(handle),
  });
  // Each packing stands by itself: another process unpacks it, which has not seen those before.
  return new module.Packr({
    structuredClone: true,
    moreTypes: true,
    useToJSON: false,
    // What is unpacked from lies in a buffer that is used again.
    copyBuffers: true,
  });
}

function theEngine(): Engine {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  return (engine ??= require('node:v8') as Engine);
}

/** A shared object within a value that is packed. */
class SharedMark {
  readonly handle: AnyHandle;

  constructor(handle: AnyHandle) {
    this.handle = handle;
  }
}

/** @returns bytes that are of no use after the next few. */
export function pack(value: unknown): Uint8Array {
  return thePackr().pack(value);
}

/** The same of a value with shared objects in it. */
export function packShared(value: unknown): Uint8Array {
  return thePackr().pack(mark(value, new Map()));
}

/** @param end - how many of the bytes there are. */
export function unpack(bytes: Uint8Array, end: number): unknown {
  return thePackr().unpack(bytes, end) as unknown;
}

export function packExactly(value: unknown): Uint8Array {
  return theEngine().serialize(value);
}

export function unpackExactly(bytes: Uint8Array): unknown {
  return theEngine().deserialize(bytes) as unknown;
}

/** A copy in which marks stand for the shared objects. */
function mark(value: unknown, done: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = done.get(value);
  if (known !== undefined) return known;
  if (isShared(value)) return noted(done, value, new SharedMark(value.toJSON()));
  if (Array.isArray(value)) {
    const copy: unknown[] = noted(done, value, []);
    for (const each of value) copy.push(mark(each, done));
    return copy;
  }
  if (value instanceof Map) {
    const copy = noted(done, value, new Map<unknown, unknown>());
    for (const [key, each] of value) copy.set(mark(key, done), mark(each, done));
    return copy;
  }
  if (value instanceof Set) {
    const copy = noted(done, value, new Set<unknown>());
    for (const each of value) copy.add(mark(each, done));
    return copy;
  }
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  const copy: Record<string, unknown> = noted(done, value, {});
  for (const [key, each] of Object.entries(value)) copy[key] = mark(each, done);
  return copy;
}

function noted<T>(done: Map<object, unknown>, value: object, copy: T): T {
  done.set(value, copy);
  return copy;
}
