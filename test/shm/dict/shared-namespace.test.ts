import { SharedNamespace, SharedValue } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { temporary } from '../../support/temporaries';

interface Config {
  rate: number;
  title?: string;
  nested?: { list: number[] };
}

describe('properties', () => {
  it('are read, assigned, deleted and enumerated', () => {
    using namespace = temporary(SharedNamespace.create<Config>({ capacity: 1 << 16 }));
    const { values } = namespace;
    expect(values.rate).toBeUndefined();
    values.rate = 5;
    values.title = 'żółw';
    values.nested = { list: [1, 2] };
    expect(values).toEqual({ rate: 5, title: 'żółw', nested: { list: [1, 2] } });
    expect(Object.keys(values).sort()).toEqual(['nested', 'rate', 'title']);
    expect({ ...values }.rate).toBe(5);
    expect('title' in values).toBe(true);
    delete values.title;
    expect(['title' in values, 'toString' in values, Object.hasOwn(values, 'rate')]).toEqual([
      false,
      false,
      true,
    ]);
    Object.assign(values, { rate: 6 });
    expect(JSON.parse(JSON.stringify(values))).toEqual({ rate: 6, nested: { list: [1, 2] } });
    // This is a copy, so changes of it stay here.
    values.nested.list.push(3);
    expect(values.nested.list).toEqual([1, 2]);
  });

  it('may be named as anything an object has', () => {
    using namespace = temporary(SharedNamespace.create({ capacity: 1 << 16 }));
    const { values } = namespace;
    for (const key of ['__proto__', 'constructor', 'toString', 'name', 'close', '', 'then']) {
      expect(values[key]).toBeUndefined();
      values[key] = key.length;
      expect([values[key], Object.keys(values)]).toEqual([key.length, [key]]);
      expect(Reflect.deleteProperty(values, key)).toBe(true);
    }
  });

  it('may be shared objects', () => {
    using namespace = temporary(
      SharedNamespace.create<{ hits: SharedValue<'int32'> }>({ capacity: 1 << 16 }),
    );
    using hits = temporary(SharedValue.create({ type: 'int32' }));
    namespace.values.hits = hits;
    using again = namespace.values.hits;
    again.add(2);
    expect(hits.value).toBe(2);
  });
});

describe('bad input', () => {
  it('is refused, and nothing is changed', () => {
    using namespace = temporary(SharedNamespace.create({ capacity: 1 << 16 }));
    const { values } = namespace;
    values.a = 1;
    expectCode(() => (values.a = () => 1), 'ERR_INVALID_ARG_TYPE');
    expectCode(() => (values.a = 'x'.repeat(1 << 16)), 'ERR_CAPACITY', namespace.name);
    expectCode(() => Reflect.set(values, Symbol('s'), 1), 'ERR_INVALID_ARG_TYPE');
    expect(Reflect.defineProperty(values, 'x', { get: () => 1 })).toBe(false);
    expect(() => Object.freeze(values)).toThrow(TypeError);
    expect(values).toEqual({ a: 1 });
    expectCode(() => SharedNamespace.create({ ttl: 1 } as never), 'ERR_INVALID_ARG_VALUE');
    expectCode(() => SharedNamespace.attach(uniqueName('none')), 'ENOENT');
  });

  it('of a handle that was closed is refused', () => {
    const namespace = SharedNamespace.create({ capacity: 1 << 16 });
    namespace.unlink();
    namespace.close();
    expectCode(() => namespace.values.a, 'ERR_CLOSED', namespace.name);
    expectCode(() => (namespace.values.a = 1), 'ERR_CLOSED', namespace.name);
    expectCode(() => Object.keys(namespace.values), 'ERR_CLOSED', namespace.name);
  });
});
