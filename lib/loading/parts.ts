// The library consists of parts. Each is a file, and is evaluated when something of it is first used: reading
// the whole library takes longer than everything else in loading it.
//
// Module caches can be cleared and duplicated (Jest does both). So each part is evaluated once in a realm,
// and kept with what the thread has only once; see home.ts.
import { home, realm, version } from './home';

type Name = 'basics' | 'structures';

type Exports = Readonly<Record<string, unknown>>;

type Loaders = Readonly<Record<Name, () => Exports>>;

/** What is kept for a realm. */
interface Kept {
  readonly library: Exports;
  readonly parts: Partial<Record<Name, Exports>>;
  loaders: Loaders;
}

/** The exports of a part. The part is evaluated if it was not yet. */
export function part(name: Name): Exports {
  const { parts, loaders } = home().realms.get(realm) as Kept;
  return (parts[name] ??= loaders[name]());
}

/**
 * Returns the library: an object with the exports of all parts, by these names. A part is evaluated when one
 * of its exports is first used.
 *
 * @param loaders - functions that evaluate the parts with the module system of the caller. The module system
 * that was used before may not exist any more.
 */
export function library(names: Readonly<Record<Name, string[]>>, loaders: Loaders): Exports {
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

function lazily(names: Readonly<Record<Name, string[]>>): Exports {
  const all: Exports = {};
  for (const name of Object.keys(names) as Name[]) {
    const evaluate = () => {
      const exports = part(name);
      for (const key of names[name]) {
        Object.defineProperty(all, key, { value: exports[key], enumerable: true });
      }
    };
    for (const key of names[name]) {
      const get = () => {
        evaluate();
        return all[key];
      };
      Object.defineProperty(all, key, { get, enumerable: true, configurable: true });
    }
  }
  return all;
}
