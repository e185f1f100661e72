// Makes every store of the library to large views of shared memory a step that can be watched. The
// constructors of typed arrays are replaced, so this module must be imported before the library.

type Constructor = new (...args: unknown[]) => object;

/** Views of at least this many bytes belong to the data of a structure. */
const leastBytes = 32_768;

const targets = new WeakMap<object, object>();
let watching = false;
let onStore: (() => void) | undefined;

/** Watches the objects that the function opens. */
export function watched<T>(open: () => T): T {
  watching = true;
  try {
    return open();
  } finally {
    watching = false;
  }
}

/** Calls a function right before each store that an action makes. */
export function atEachStore(before: () => void, act: () => unknown): void {
  onStore = before;
  try {
    act();
  } finally {
    onStore = undefined;
  }
}

function watch(view: object): object {
  const proxy: object = new Proxy(view, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        onStore?.();
        return Reflect.apply(value, target, args);
      };
    },
    set(target, key, value) {
      onStore?.();
      return Reflect.set(target, key, value, target);
    },
  });
  targets.set(proxy, view);
  return proxy;
}

for (const name of ['Int32Array', 'Float64Array', 'Uint8Array', 'Uint16Array'] as const) {
  const replaced = new Proxy(globalThis[name], {
    construct(target, args: unknown[], newTarget) {
      const view = Reflect.construct(target as Constructor, args, newTarget) as Uint8Array;
      const isLarge = args[0] instanceof ArrayBuffer && args[0].byteLength >= leastBytes;
      return watching && isLarge ? watch(view) : view;
    },
  });
  Object.assign(globalThis, { [name]: replaced });
}

for (const name of ['store', 'load', 'add', 'exchange', 'compareExchange'] as const) {
  const original = Reflect.get(Atomics, name) as (...args: unknown[]) => unknown;
  Object.assign(Atomics, {
    [name]: (view: object, ...args: unknown[]) => {
      const target = targets.get(view);
      if (target !== undefined && name !== 'load') onStore?.();
      return original(target ?? view, ...args);
    },
  });
}
