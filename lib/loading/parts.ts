// The library consists of parts. Each is a file, and is evaluated when something of it is first used: reading
// the whole library takes longer than everything else in loading it.
//
// Module caches can be cleared and duplicated (Jest does both). So each part is evaluated once in a realm,
// and kept with what the thread has only once; see home.ts.
import { home, realm, version } from './home';

type Exports = Readonly<Record<string, unknown>>;

/** For each part, the function that evaluates it. */
type Loaders = Readonly<Record<string, () => Exports>>;

/** What is kept for a realm. */
interface Kept {
  readonly library: Exports;
  readonly parts: Record<string, Exports>;
  loaders: Loaders;
}

/** The exports of a part. The part is evaluated if it was not yet. */
export function part(name: string): Exports {
  const { parts, loaders } = home().realms.get(realm) as Kept;
  return (parts[name] ??= (loaders[name] as () => Exports)());
}

/** What the library exports by that name. Its part is evaluated if it was not yet. */
export function evaluate(exported: string): unknown {
  return (home().realms.get(realm) as Kept | undefined)?.library[exported];
}

/**
 * Returns the library: an object with the exports of all parts, by these names. A part is evaluated when one
 * of its exports is first used.
 *
 * @param loaders - functions that evaluate the parts with the module system of the caller. The module system
 * that was used before may not exist any more.
 */
export function library(names: Readonly<Record<string, string[]>>, loaders: Loaders): Exports {
  const { realms, version: shared } = home();
  const known = realms.get(realm) as Kept | undefined;
  if (known === undefined) {
    const kept: Kept = { library: lazily(names), parts: {}, loaders };
    realms.set(realm, kept);
    return kept.library;
  }
  if (shared === version) known.loaders = loaders;
  return known.library;
}

function lazily(names: Readonly<Record<string, string[]>>): Exports {
  const all: Exports = {};
  for (const [name, keys] of Object.entries(names)) {
    const evaluatePart = () => {
      const exports = part(name);
      for (const key of keys) {
        Object.defineProperty(all, key, { value: exports[key], enumerable: true });
      }
    };
    for (const key of keys) {
      const get = () => {
        evaluatePart();
        return all[key];
      };
      Object.defineProperty(all, key, { get, enumerable: true, configurable: true });
    }
  }
  return all;
}
