// Whether two values are equal in everything that a clone keeps: classes, holes, -0, own keys and their
// order, objects that are referred to twice, and buffers, including the bytes around a view of them.
import { types } from 'node:util';

/** @returns where and how they differ, or undefined when they do not. */
export function difference(a: unknown, b: unknown): string | undefined {
  return compare(a, b, 'value', new Map(), new Map());
}

type Seen = Map<object, object>;

function compare(a: unknown, b: unknown, at: string, there: Seen, back: Seen): string | undefined {
  if (!isObject(a) || !isObject(b)) {
    return Object.is(a, b) ? undefined : `${at}: ${String(a)} is not ${String(b)}`;
  }
  const known = there.get(a) ?? back.get(b);
  if (known !== undefined) {
    const isSame = there.get(a) === b && back.get(b) === a;
    return isSame ? undefined : `${at}: refers to something else`;
  }
  there.set(a, b);
  back.set(b, a);
  const classes = [a, b].map((each) => classOf(each));
  if (classes[0] !== classes[1]) return `${at}: ${classes.join(' is not ')}`;
  const deeper = (x: unknown, y: unknown, step: string) => compare(x, y, at + step, there, back);
  for (const [x, y, step] of insides(a, b)) {
    const found = deeper(x, y, step);
    if (found !== undefined) return found;
  }
  const keys = [a, b].map((each) => keysOf(each));
  if (keys[0]!.join() !== keys[1]!.join())
    return `${at}: has ${keys.map(String).join(' and not ')}`;
  for (const key of keys[0]!) {
    const [x, y] = [a, b].map((each) => Object.getOwnPropertyDescriptor(each, key));
    if (x!.enumerable !== y!.enumerable) return `${at}.${key}: enumerable or not`;
    const found = deeper((a as never)[key], (b as never)[key], `.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

function classOf(value: object): string {
  // Read from the prototype, not from the value: the value may have an own property called constructor.
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name: string } } | null;
  return `${prototype?.constructor?.name ?? 'null'} ${Array.isArray(value) ? 'array' : ''}`;
}

function keysOf(value: object): string[] {
  if (ArrayBuffer.isView(value)) return [];
  if (types.isBoxedPrimitive(value)) return [];
  return types.isNativeError(value)
    ? Object.getOwnPropertyNames(value).sort()
    : Object.getOwnPropertyNames(value).filter((key) => key !== 'lastIndex');
}

function* insides(a: object, b: object): Generator<[unknown, unknown, string]> {
  if (types.isMap(a) && types.isMap(b)) {
    yield [a.size, b.size, '.size'];
    const others = [...b];
    let i = 0;
    for (const [key, each] of a) {
      yield [key, others[i]?.[0], `.key ${i}`];
      yield [each, others[i++]?.[1], `.value ${i}`];
    }
  } else if (types.isSet(a) && types.isSet(b)) {
    yield [a.size, b.size, '.size'];
    const others = [...b];
    let i = 0;
    for (const each of a) yield [each, others[i++], `.member ${i}`];
  } else if (types.isDate(a) && types.isDate(b)) {
    yield [a.getTime(), b.getTime(), '.getTime()'];
  } else if (types.isRegExp(a) && types.isRegExp(b)) {
    yield [String(a), String(b), '.toString()'];
  } else if (types.isBoxedPrimitive(a)) {
    yield [a.valueOf(), b.valueOf(), '.valueOf()'];
  } else if (types.isAnyArrayBuffer(a) && types.isAnyArrayBuffer(b)) {
    yield [Buffer.from(a).toString('hex'), Buffer.from(b).toString('hex'), '.bytes'];
    const most = [a, b].map((each) => (each as { maxByteLength?: number }).maxByteLength);
    yield [most[0], most[1], '.maxByteLength'];
  } else if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
    yield [a.byteLength, b.byteLength, '.byteLength'];
    yield [a.byteOffset, b.byteOffset, '.byteOffset'];
    yield [a.buffer, b.buffer, '.buffer'];
  }
}
