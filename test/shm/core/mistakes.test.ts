// Messages for users who mistake a class, an option or a property for another one.
import { spawnSync } from 'node:child_process';
import { inspect } from 'node:util';
import { runInNewContext, runInThisContext } from 'node:vm';
import {
  Manager,
  NamedBarrier,
  NamedCondition,
  NamedEvent,
  NamedLock,
  NamedRLock,
  NamedRWLock,
  NamedSemaphore,
  ShareableList,
  SharedArray,
  SharedDict,
  SharedList,
  SharedMemory,
  SharedNamespace,
  SharedObject,
  SharedQueue,
  SharedValue,
  attach,
} from 'shmkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { publicNames } from '../../fixtures/public-names';
import { expectCode, expectRejection } from '../../support/errors';
import { uniqueName } from '../../support/names';

/** A class as JavaScript code uses it, without a check of types. */
interface Class {
  readonly name: string;
  new (...args: unknown[]): object;
  create(options?: unknown): Any;
  attach(name?: unknown, options?: unknown): Any;
  open(name?: unknown, options?: unknown): Any;
  unlink(name?: unknown): void;
}

interface Any {
  readonly name: string;
  readonly shmkit: string;
  unlink?(): void;
  shutdown?(): void;
  close(): void;
}

/** The options that are required to create an object. */
const needs = new Map<unknown, object>([
  [SharedMemory, { size: 64 }],
  [SharedValue, { type: 'int32' }],
  [SharedArray, { type: 'int32', length: 4 }],
  [NamedBarrier, { parties: 2 }],
  [ShareableList, { from: [1, 'a'] }],
  [SharedObject, { from: { a: 1 } }],
]);

const all = [
  ...[Manager, NamedBarrier, NamedCondition, NamedEvent, NamedLock, NamedRLock, NamedRWLock],
  ...[NamedSemaphore, ShareableList, SharedArray, SharedDict, SharedList, SharedMemory],
  ...[SharedNamespace, SharedObject, SharedQueue, SharedValue],
] as unknown as Class[];

/** Whether the class opens objects by name: it attaches, or makes one. */
const opens = (type: Class) => 'open' in type;

const needing = all.filter((type) => needs.has(type));

/** The accessor properties of an object that have no setter. */
function readOnlyOf(object: object): string[] {
  const keys: string[] = [];
  let at = object;
  while ((at = Object.getPrototypeOf(at) as object) !== Object.prototype) {
    for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (property.get !== undefined) keys.push(key);
    }
  }
  const others = [...Object.keys(object), ...(object instanceof SharedValue ? ['value'] : [])];
  return keys.filter((key) => !others.includes(key));
}

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return expect.fail('it was not refused');
}

const made: Any[] = [];

function make(type: unknown, options: object = {}): Any {
  const object = (type as Class).create({ ...needs.get(type), ...options });
  made.push(object);
  return object;
}

afterEach(() => {
  for (const object of made.splice(0)) {
    if (object.shutdown !== undefined) {
      object.shutdown();
      if (object.shmkit === 'manager') continue;
    }
    object.unlink?.();
    object.close();
  }
});

it('the classes here are all that there are', () => {
  const others = ['SharedMemoryError', 'attach', 'attachAll', 'shared', 'sharing'];
  const names = all.map(({ name }) => name).concat(others);
  expect(names.sort()).toEqual(publicNames);
});

describe.each(all.map((type) => [type.name, type] as const))('%s', (_, Type) => {
  it('has no public constructor, and says what to call', () => {
    for (const args of [[], [undefined], [{}], ['x'], [{ name: 'x' }], ['x', {}], [[1, 2]]]) {
      for (const method of opens(Type) ? ['create', 'attach', 'open'] : ['create', 'attach']) {
        expectCode(() => new Type(...args), 'ERR_ILLEGAL_CONSTRUCTOR', `${Type.name}.${method}()`);
      }
      expect(() => new Type(...args)).toThrow(TypeError);
    }
    // An object is refused in the same way as its description.
    const object = make(Type);
    expectCode(() => new Type(object), 'ERR_ILLEGAL_CONSTRUCTOR', Type.name);
    expectCode(() => new Type(object, {}, object), 'ERR_ILLEGAL_CONSTRUCTOR', Type.name);
    expect(() => (Type as unknown as () => unknown)()).toThrow(/without 'new'|new/);
  });

  it('cannot be extended, and says so by its own name', () => {
    class Own extends Type {}
    expectCode(() => new Own(), 'ERR_ILLEGAL_CONSTRUCTOR', `${Type.name} has`);
  });

  it('takes a name first, and options after it', () => {
    expectCode(
      () => Type.attach({ name: 'x' }),
      'ERR_INVALID_ARG_TYPE',
      /^name .*before any options/,
    );
    expectCode(() => Type.attach(), 'ERR_INVALID_ARG_TYPE', /^name must be a string/);
    expectCode(() => Type.unlink(), 'ERR_INVALID_ARG_TYPE', /^name must be a string/);
    if (!opens(Type)) return;
    expectCode(
      () => Type.open({ name: 'x', ...needs.get(Type) }),
      'ERR_INVALID_ARG_TYPE',
      /^name .*before any options/,
    );
    expectCode(() => Type.open(), 'ERR_INVALID_ARG_TYPE', /^name must be a string/);
    const named = { ...needs.get(Type), name: 'y' };
    expectCode(() => Type.open('x', named), 'ERR_INVALID_ARG_VALUE', 'name', 'first argument');
  });

  it('takes an object of options, and says how what was given belongs in it', () => {
    expectCode(() => Type.create('x'), 'ERR_INVALID_ARG_TYPE', "name: 'x' }");
    expectCode(() => Type.create(5), 'ERR_INVALID_ARG_TYPE', /^options must be an object/);
    expectCode(() => Type.create(null), 'ERR_INVALID_ARG_TYPE', /^options must be an object/);
    expectCode(() => Type.create([1]), 'ERR_INVALID_ARG_TYPE', /^options .*an array/);
    const others = [
      ...[Promise.resolve({}), new AbortController().signal, new Map(), new Set(), new Date()],
      ...[new Uint8Array(2), new Float64Array(0), new Set([1, 2, 3]), new ArrayBuffer(8)],
    ];
    for (const other of others) {
      expectCode(() => Type.create(other), 'ERR_INVALID_ARG_TYPE', /^options must be an object/);
      if (!opens(Type)) continue;
      expectCode(() => Type.open('x', other), 'ERR_INVALID_ARG_TYPE', /^options must be an object/);
    }
    if (!opens(Type)) return;
    expectCode(() => Type.open('x', 'y'), 'ERR_INVALID_ARG_TYPE', /^options must be an object/);
  });

  it('names the option that was meant', () => {
    expectCode(
      () => Type.create({ ...needs.get(Type), nmae: 'x' }),
      'ERR_INVALID_ARG_VALUE',
      "'nmae' (did you mean 'name'?)",
    );
    const other = { ...needs.get(Type), zzzzzzzz: 1 };
    expectCode(
      () => Type.create(other),
      'ERR_INVALID_ARG_VALUE',
      /^unknown option 'zzzzzzzz'; known options: /,
    );
  });

  it('says of what other kind the object of a name is, and how to attach to it', () => {
    const name = uniqueName();
    expectCode(
      () => Type.attach(name),
      'ENOENT',
      name,
      opens(Type) ? 'create() or open() creates one' : 'create() never made it',
    );
    // Objects of other kinds may have the same name as a segment.
    const other = Type === (SharedDict as unknown) ? SharedValue : SharedDict;
    make(other, { name });
    const told = [name, `${other.name}.attach('${name}')`];
    // Unlinking a manager means attaching to it, and shutting it down.
    const verb = Type === (Manager as unknown) ? 'attach' : 'unlink';
    expectCode(() => Type.attach(name), 'ENOENT', 'there is no', ...told);
    expectCode(() => Type.unlink(name), 'ENOENT', `${other.name}.${verb}('${name}')`);
    make(NamedEvent, { name: Type === (NamedEvent as unknown) ? uniqueName() : name });
    if (Type === (NamedEvent as unknown)) return;
    expectCode(() => Type.attach(name), 'ENOENT', ...told, ' or ', `NamedEvent.attach('${name}')`);
    // The search for the other kinds only looked, and has changed nothing.
    const object = make(Type, { name });
    expect(object.name).toBe(name);
  });

  it('refuses assignments of properties that it has not, in sloppy code, too', () => {
    const object = make(Type);
    const assign = (key: string | symbol, value: unknown) => () =>
      Reflect.set(object, key, value) || expect.fail('it was silent');
    for (const key of ['x', 'a b', '__proto__', Symbol('s')]) {
      expectCode(assign(key, 1), 'ERR_INVALID_ARG_VALUE', Type.name, String(key));
    }
    const source = '(function (object) { object.x = 1; })';
    const sloppy = runInThisContext(source) as (object: unknown) => void;
    expectCode(() => sloppy(object), 'ERR_INVALID_ARG_VALUE', Type.name, "'x'");
    expect(Reflect.ownKeys(object)).toEqual(['shmkit', 'name']);
    expect(object).toBeInstanceOf(Object);
    expect(object).toBeInstanceOf(Type);
    expect(Object.prototype.hasOwnProperty.call(object, 'x')).toBe(false);
    expect((object as unknown as { x?: unknown }).x).toBeUndefined();
  });

  it('refuses assignments of what can only be read, in sloppy code, too', () => {
    const object = make(Type);
    const source = '(function (object, key) { object[key] = 1; })';
    const sloppy = runInThisContext(source) as (object: unknown, key: string) => void;
    const keys = readOnlyOf(object);
    expect(keys).toContain('closed');
    for (const key of keys) {
      expectCode(() => sloppy(object, key), 'ERR_INVALID_ARG_VALUE', Type.name, `'${key}'`);
      expect(Object.hasOwn(object, key)).toBe(false);
    }
    expect((object as unknown as { closed: boolean }).closed).toBe(false);
  });

  it('takes undefined for an option that is left out', () => {
    // The message says which options exist.
    const undefinedOf = (make: (options: object) => unknown) => {
      const message = refusalOf(() => make({ ...needs.get(Type), zzzzzzzz: 1 }));
      const known = [...message.matchAll(/'(\w+)'/g)].map((match) => match[1]!).slice(1);
      expect(known).toContain('mode');
      return Object.fromEntries(known.map((key) => [key, undefined]));
    };
    const object = make(Type, {
      ...undefinedOf((options) => Type.create(options)),
      ...needs.get(Type),
    });
    if (!opens(Type)) return;
    const left = undefinedOf((options) => Type.open(object.name, options));
    const opened = Type.open(object.name, { ...left, ...needs.get(Type) });
    expect(opened.name).toBe(object.name);
    opened.close();
  });

  it('leaves others what they do by themselves', () => {
    const object = make(Type);
    const heir = Object.create(object) as { x?: number };
    heir.x = 1;
    expect(Object.keys(heir)).toEqual(['x']);
    const prototype = Type.prototype as { extension?: () => number };
    prototype.extension = () => 7;
    try {
      expect((object as unknown as { extension: () => number }).extension()).toBe(7);
    } finally {
      delete prototype.extension;
    }
    // Test runners replace methods in this way.
    const close = object.close.bind(object);
    object.close = () => close();
    expect(Object.hasOwn(object, 'close')).toBe(true);
    delete (object as { close?: unknown }).close;
  });

  it('is named by engines in messages of their own, and shown to people in short', () => {
    const object = make(Type);
    const readOnly = () => {
      'use strict';
      (object as { name: string }).name = 'y';
    };
    expect(readOnly).toThrow(TypeError);
    expect(inspect(object)).toMatch(new RegExp(`^${Type.name} \\{`));
    expect(inspect(object).length).toBeLessThan(120);
    expect(JSON.parse(JSON.stringify(object))).toEqual({
      shmkit: object.shmkit,
      name: object.name,
    });
  });
});

describe.each(needing.map((type) => [type.name, type] as const))('%s', (_, Type) => {
  it('says what it needs', () => {
    const example = /^options must be an object, such as \{ \w+: .* \}, not undefined$/;
    expectCode(() => Type.create(), 'ERR_INVALID_ARG_TYPE', example);
    const [needed] = Object.keys(needs.get(Type)!);
    expectCode(() => Type.create({}), 'ERR_INVALID_ARG_TYPE', needed!);
    if (!opens(Type)) return;
    expectCode(() => Type.open(uniqueName()), 'ERR_INVALID_ARG_TYPE', example);
    expectCode(() => Type.open(uniqueName(), {}), 'ERR_INVALID_ARG_TYPE', needed!);
  });
});

describe('what a property would have been', () => {
  const cases: [unknown, string, unknown, string][] = [
    [SharedNamespace, 'x', 1, 'values.x = 1'],
    [SharedNamespace, 'a b', 'it', "values['a b'] = 'it'"],
    [SharedDict, 'a', 1n, "set('a', 1n)"],
    [SharedDict, "it's", {}, "set('it\\'s', {…})"],
    [SharedDict, 'n', NaN, "set('n', …), or add() or update() to change an existing value"],
    [SharedNamespace, 'n', NaN, 'values.n = …'],
    [SharedList, '0', null, 'set(0, null)'],
    [SharedArray, '3', 1.5, 'set(3, 1.5)'],
    [ShareableList, '1', 'a', "set(1, 'a')"],
    [SharedMemory, '0', 255, "array('uint8')[0] = 255"],
    [NamedLock, 'owner', 'me', 'no other process'],
  ];

  it.each(cases)('of %o: %s', (type, key, value, told) => {
    const object = make(type) as unknown as Record<string, unknown>;
    expectCode(() => (object[key] = value), 'ERR_INVALID_ARG_VALUE', told);
  });

  const readers: [unknown, string, unknown, string][] = [
    [SharedList, 'length', 0, 'pop(), splice() or clear()'],
    [SharedNamespace, 'values', {}, 'Object.assign(values, …)'],
    [SharedDict, 'size', 0, 'delete() or clear()'],
    [SharedArray, 'array', [1], 'array.set()'],
    [SharedMemory, 'buffer', null, 'write()'],
    [NamedSemaphore, 'value', 1, 'acquire() and release()'],
    [NamedEvent, 'isSet', true, 'set() or clear()'],
    [SharedQueue, 'size', 0, 'is read-only'],
  ];

  it.each(readers)('of %o: %s, which can only be read', (type, key, value, told) => {
    const object = make(type) as unknown as Record<string, unknown>;
    expectCode(() => (object[key] = value), 'ERR_INVALID_ARG_VALUE', `'${key}'`, told);
  });

  it('of the buffer of a segment', () => {
    const memory = make(SharedMemory) as unknown as SharedMemory;
    const bytes = memory.buffer as unknown as number[];
    expect(() => (bytes[0] = 1)).toThrow(TypeError);
    expect(memory.read(0, 1)).toEqual(new Uint8Array(1));
  });

  it('of a value that is taken for a number', () => {
    const value = make(SharedValue) as unknown as number;
    expectCode(() => value + 1, 'ERR_INVALID_ARG_TYPE', 'value property');
    expectCode(() => value * 2, 'ERR_INVALID_ARG_TYPE', 'value property');
    expect(`${value}`).toMatch(/^SharedValue '/);
  });
});

describe('a handle', () => {
  let dict: SharedDict;
  beforeEach(() => {
    dict = make(SharedDict) as unknown as SharedDict;
  });

  const attached = (handle: unknown) => () => attach(handle as never);

  it('is no name, and where there is something of that name, it is told how to attach to it', () => {
    expectCode(attached(dict.name), 'ERR_INVALID_ARG_TYPE', `SharedDict.attach('${dict.name}')`);
    expectCode(attached(uniqueName()), 'ERR_INVALID_ARG_TYPE', 'toJSON()');
  });

  it('is no text', () => {
    expectCode(attached(JSON.stringify(dict)), 'ERR_INVALID_ARG_TYPE', 'parse JSON text first');
    expectCode(attached(`{${'x'.repeat(10_000)}`), 'ERR_INVALID_ARG_TYPE', /^.{1,300}$/);
  });

  it.each([[undefined], [null], [5], [[]], [{}], [{ name: 'x' }], [new Map()]])(
    'is not %o',
    (given) => {
      expectCode(attached(given), 'ERR_INVALID_ARG_TYPE', "{ shmkit: 'dict', name: 'cache' }");
    },
  );

  it('is no promise of one', () => {
    expectCode(attached(Promise.resolve(dict)), 'ERR_INVALID_ARG_TYPE', 'await it first');
  });

  it('has a kind that there is, and a name', () => {
    expectCode(attached({ shmkit: 'map', name: 'x' }), 'ERR_OUT_OF_RANGE', "'dict'", '"map"');
    expectCode(attached({ shmkit: 'dict' }), 'ERR_INVALID_ARG_TYPE', 'handle.name');
    expectCode(attached({ shmkit: 'dict', name: 5 }), 'ERR_INVALID_ARG_TYPE', 'handle.name');
  });
});

describe('what a manager made', () => {
  it('is attached to by a name that begins with the manager’s', () => {
    const manager = make(Manager) as unknown as Manager;
    using dict = manager.dict('cache');
    expectCode(() => SharedDict.attach(dict.name.slice(1)), 'EINVAL', `'${dict.name}'`);
    expectCode(() => SharedList.attach(dict.name), 'ENOENT', `SharedDict.attach('${dict.name}')`);
    const absent = `/${manager.name}/none`;
    const told = `Manager.attach('${manager.name}').list('none')`;
    expectCode(() => SharedList.attach(absent), 'ENOENT', told);
    expectCode(() => SharedList.attach(`/${uniqueName()}/x`), 'ENOENT', 'no manager');
    expectCode(() => manager.dict({} as never), 'ERR_INVALID_ARG_TYPE', 'before any options');
    expectCode(() => manager.value('v'), 'ERR_INVALID_ARG_TYPE', "type: 'float64'");
  });
});

describe('values of options', () => {
  const name = 'never-made';
  const cases: [string, () => unknown, string, ...(string | RegExp)[]][] = [
    [
      'a size with its unit',
      () => SharedDict.create({ capacity: '1mb' as never }),
      'ERR_INVALID_ARG_TYPE',
      'capacity',
      'bytes',
      '"1mb"',
    ],
    [
      'a text for bytes',
      () => SharedMemory.create({ size: '8' as never }),
      'ERR_INVALID_ARG_TYPE',
      'size',
      'bytes',
    ],
    [
      'a time to live of 0',
      () => SharedDict.create({ ttl: 0 }),
      'ERR_OUT_OF_RANGE',
      'ttl',
      'milliseconds',
      'for ever',
    ],
    [
      'a negative time to live',
      () => SharedDict.open(name, { ttl: -1 }),
      'ERR_OUT_OF_RANGE',
      'ttl',
    ],
    [
      'a time with its unit',
      () => SharedDict.create({ ttl: '5s' as never }),
      'ERR_INVALID_ARG_TYPE',
      'ttl',
      'milliseconds',
    ],
    ['a decimal mode', () => NamedLock.create({ mode: 660 }), 'ERR_OUT_OF_RANGE', 'mode', '0o660'],
    [
      'a mode as text',
      () => NamedLock.create({ mode: '0660' as never }),
      'ERR_INVALID_ARG_TYPE',
      'mode',
      '0o660',
    ],
    [
      "Python's type code",
      () => SharedValue.create({ type: 'd' as never }),
      'ERR_OUT_OF_RANGE',
      "probably 'float64'",
    ],
    [
      "C's name of a type",
      () => SharedValue.create({ type: 'int' as never }),
      'ERR_OUT_OF_RANGE',
      "probably 'int32'",
    ],
    ...Object.entries({
      ...{ i8: 'int8', u16: 'uint16', i32: 'int32', u64: 'uint64', f32: 'float32', f64: 'float64' },
      ...{ int16_t: 'int16', uint8_t: 'uint8', uint: 'uint32', double: 'float64' },
    }).map(([given, type]): [string, () => unknown, string, string] => [
      `another language's name of ${type}`,
      () => SharedValue.create({ type: given as never }),
      'ERR_OUT_OF_RANGE',
      `probably '${type}'`,
    ]),
    [
      'the class of a typed array',
      () => SharedArray.create({ type: Int16Array as never, length: 1 }),
      'ERR_INVALID_ARG_TYPE',
      "probably 'int16'",
    ],
    [
      'the name of one',
      () => SharedArray.open(name, { type: 'Float32Array' as never, length: 1 }),
      'ERR_OUT_OF_RANGE',
      "probably 'float32'",
    ],
    [
      'a misspelt type',
      () => SharedArray.open(name, { type: 'flaot64' as never, length: 1 }),
      'ERR_OUT_OF_RANGE',
      "probably 'float64'",
    ],
    [
      'a number for a bigint',
      () => SharedValue.create({ type: 'int64', value: 5 as never }),
      'ERR_INVALID_ARG_TYPE',
      '5n',
    ],
    [
      'elements for options',
      () => ShareableList.create([1, 2] as never),
      'ERR_INVALID_ARG_TYPE',
      'from:',
    ],
    [
      'parties for options',
      () => NamedBarrier.open(name, 4 as never),
      'ERR_INVALID_ARG_TYPE',
      '{ parties: 4 }',
    ],
    [
      'permits for options',
      () => NamedSemaphore.open(name, 3 as never),
      'ERR_INVALID_ARG_TYPE',
      '{ value: 3 }',
    ],
    [
      'an eviction in capitals',
      () => SharedDict.create({ eviction: 'LRU' as never }),
      'ERR_OUT_OF_RANGE',
      "'lru'",
    ],
  ];

  it.each(cases)('%s', (_, act, code, ...told) => {
    expectCode(act, code, ...told);
    expectCode(() => NamedBarrier.attach(name), 'ENOENT');
  });
});

describe('arguments of verbs', () => {
  it('of waiting', async () => {
    const lock = make(NamedLock) as unknown as NamedLock;
    const { signal } = new AbortController();
    expectCode(() => lock.acquireSync(500 as never), 'ERR_INVALID_ARG_TYPE', '{ timeout: 500 }');
    expectCode(() => lock.acquireSync(signal as never), 'ERR_INVALID_ARG_TYPE', 'AbortSignal');
    const bare = lock.acquire(signal as never);
    await expectRejection(bare, 'ERR_INVALID_ARG_TYPE', '{ signal: {…} }');
    const inherited = Object.create({ timeout: 5 }) as { timeout: number };
    const foreign = runInNewContext('({})') as object;
    for (const options of [{}, Object.create(null) as object, inherited, foreign]) {
      lock.acquireSync(options).release();
    }
    expectCode(
      () => lock.acquireSync({ tiemout: 5 } as never),
      'ERR_INVALID_ARG_VALUE',
      "'timeout'?",
    );
    expectCode(
      () => lock.acquireSync({ signal } as never),
      'ERR_INVALID_ARG_VALUE',
      'asynchronous method',
    );
    expectCode(
      () => lock.acquireSync({ timeout: '5s' as never }),
      'ERR_INVALID_ARG_TYPE',
      'milliseconds',
    );
    await expectRejection(lock.acquire(500 as never), 'ERR_INVALID_ARG_TYPE', '{ timeout: 500 }');
    expect(lock.locked).toBe(false);
  });

  it('of structures', async () => {
    const dict = make(SharedDict) as unknown as SharedDict;
    const list = make(SharedList) as unknown as SharedList;
    const queue = make(SharedQueue) as unknown as SharedQueue;
    expectCode(() => dict.set({} as never, 1), 'ERR_INVALID_ARG_TYPE', 'key');
    expectCode(() => dict.get(undefined as never), 'ERR_INVALID_ARG_TYPE', 'key');
    expectCode(() => dict.set('a', 1, 5000 as never), 'ERR_INVALID_ARG_TYPE', '{ ttl: 5000 }');
    expectCode(() => dict.set('a', Promise.resolve()), 'ERR_INVALID_ARG_TYPE', 'await it first');
    expectCode(() => list.at('0' as never), 'ERR_INVALID_ARG_TYPE', 'an integer, not');
    await expectRejection(dict.getOrSet('a', 5 as never), 'ERR_INVALID_ARG_TYPE', 'function');
    await expectRejection(queue.put(1, 500 as never), 'ERR_INVALID_ARG_TYPE', '{ timeout: 500 }');
    expect([dict.size, list.length, queue.size]).toEqual([0, 0, 0]);
  });

  it('of memory', () => {
    const memory = make(SharedMemory) as unknown as SharedMemory;
    expectCode(
      () => memory.write('x' as never, undefined as never),
      'ERR_INVALID_ARG_TYPE',
      'offset',
    );
    expectCode(() => memory.array(Float64Array as never), 'ERR_INVALID_ARG_TYPE', "'float64'");
  });
});

it('the classes work as before where nobody makes a mistake, in a process of sloppy code', () => {
  const source = `
    const { SharedNamespace, NamedLock } = require('shmkit');
    const namespace = SharedNamespace.create();
    const lock = NamedLock.create();
    let told;
    try { namespace.x = 1; } catch (error) { told = error.message; }
    namespace.values.x = 1;
    lock.runExclusiveSync(() => namespace.values.x++);
    namespace.unlink();
    lock.unlink();
    console.log(JSON.stringify([told, namespace.values.x]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', source], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([expect.stringContaining('values.x = 1') as string, 2]);
});
