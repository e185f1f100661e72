// The library comes in parts, each a file, and each evaluated when something of it is first wanted:
// to read all of it takes longer than all else there is to loading.
//
// Module caches can be cleared and doubled (Jest does both). So each part is evaluated once in a realm,
// and kept with what the thread has once; see home.ts.
import { home, realm, version } from './home';

type Name = 'basics' | 'structures';

type Exports = Readonly<Record<string, unknown>>;

type Loaders = Readonly<Record<Name, () => Exports>>;

/** What is kept of a realm. */
interface Kept {
  readonly library: Exports;
  readonly parts: Partial<Record<Name, Exports>>;
  loaders: Loaders;
}

/** A part, evaluated if it was not yet. */
export function part(name: Name): Exports {
  const { parts, loaders } = home().realms.get(realm) as Kept;
  return (parts[name] ??= loaders[name]());
}

/**
 * The library: what the parts export, by these names.
 *
 * @param loaders - evaluate each part, by the module system that asks: another may have ended.
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
