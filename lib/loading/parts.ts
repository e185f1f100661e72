// The library consists of parts. Each is a file, and is evaluated when something of it is first used: reading
// the whole library takes longer than everything else in loading it.
//
// Module caches can be cleared and duplicated (Jest does both). So each part is evaluated once in a realm,
// and kept with what the thread has only once; see home.ts.
import { SharedMemoryError } from '../common/errors';
import { home, knownHome, realm, version } from './home';

type Exports = Readonly<Record<string, unknown>>;

/** The module system by which the library was loaded. */
interface Modules {
  /** For each part, the function that evaluates it. */
  readonly load: Readonly<Record<string, () => Exports>>;
  /** The modules that it has evaluated, if it lets them be seen. */
  readonly cache: () => Record<string, { exports: unknown } | undefined> | undefined;
}

/** What is kept for a realm. */
interface Kept {
  readonly library: Exports;
  readonly parts: Record<string, Exports>;
  /** The parts whose evaluation began and did not end. */
  readonly unfinished: Set<string>;
  modules: Modules;
}

/** Identifies the files that were built together. The build inserts it. */
declare const build: string;

/**
 * The exports of a part. The part is evaluated if it was not yet.
 *
 * @throws SharedMemoryError `ERR_ABI_MISMATCH` the file belongs to another version; `EINTR` an interrupt has ended
 * the evaluation, and the module system cannot repeat it; `ENOENT`, `EMFILE`, `ENFILE`, `EACCES`, …: the file
 * cannot be read
 */
export function part(name: string): Exports {
  const kept = home().realms.get(realm) as Kept;
  return (kept.parts[name] ??= evaluateWhole(kept, name));
}

function evaluateWhole({ parts, modules, unfinished }: Kept, name: string): Exports {
  const load = modules.load[name] as () => Exports;
  unfinished.add(name);
  try {
    let exports = load();
    if (!isWhole(exports)) {
      forget(modules, exports);
      exports = load();
    }
    if (!isWhole(exports)) throw interrupted(parts, name);
    return exports;
  } catch (error) {
    throw explained(error, parts, name);
  } finally {
    unfinished.delete(name);
  }
}

/**
 * Whether a part was evaluated to its end, where it says its exports. An interrupt, such as the timeout of
 * `node:vm`, cannot be caught: the module stays in the cache as it was then.
 */
function isWhole(exports: Exports): boolean {
  return Object.keys(exports).length > 0;
}

/** Makes the module system evaluate a module again, if it can. */
function forget(modules: Modules, exports: Exports): void {
  const cache = modules.cache() ?? {};
  for (const [id, module] of Object.entries(cache)) {
    if (module?.exports === exports) Reflect.deleteProperty(cache, id);
  }
}

/** Whether an interrupt has ended the evaluation of a part. What it has registered until then is not usable. */
export function isInterrupted(): boolean {
  const kept = knownHome()?.realms.get(realm) as Kept | undefined;
  return kept !== undefined && kept.unfinished.size > 0;
}

/** To be called at the beginning of each part. A package can be replaced while a process uses it. */
export function checkBuild(ofPart: string): void {
  if (ofPart === build) return;
  const { parts } = home().realms.get(realm) as Kept;
  throw errorOf(
    parts,
    'ERR_ABI_MISMATCH',
    `the files of shmkit in ${home().root} were replaced while this process was using them; restart the process`,
  );
}

function interrupted(parts: Kept['parts'], name: string) {
  const message = `an interrupt has ended the loading of ${name}.js of shmkit, which cannot be repeated here; restart the process`;
  return errorOf(parts, 'EINTR', message);
}

/** What went wrong in reading the file of a part. Returns other errors unchanged. */
function explained(error: unknown, parts: Kept['parts'], name: string): unknown {
  const { name: kind, code = '', syscall, errno, message } = error as NodeJS.ErrnoException;
  const isMissing = code === 'MODULE_NOT_FOUND';
  // It may be the error of another part, which this one needs.
  if (kind === 'SharedMemoryError' || (!isMissing && syscall === undefined)) return error;
  const wayOut = isMissing
    ? '; if the files of the package were removed or replaced, restart the process'
    : '';
  return errorOf(
    parts,
    isMissing ? 'ENOENT' : code,
    `cannot read ${name}.js of shmkit: ${message}${wayOut}`,
    { syscall, errno, cause: error },
  );
}

/** An error of the class that the library exports, if it has been evaluated. */
function errorOf(parts: Kept['parts'], ...given: ConstructorParameters<typeof SharedMemoryError>) {
  const known = parts.core?.SharedMemoryError as typeof SharedMemoryError | undefined;
  return new (known ?? SharedMemoryError)(...given);
}

/** What the library exports by that name. Its part is evaluated if it was not yet. */
export function evaluate(exported: string): unknown {
  return (home().realms.get(realm) as Kept | undefined)?.library[exported];
}

/**
 * Returns the library: an object with the exports of all parts, by these names. A part is evaluated when one
 * of its exports is first used.
 *
 * @param modules - the module system of the caller. The one that was used before may not exist any more.
 */
export function library(names: Readonly<Record<string, string[]>>, modules: Modules): Exports {
  const { realms, version: shared } = home();
  const known = realms.get(realm) as Kept | undefined;
  if (known === undefined) {
    const kept: Kept = { library: lazily(names), parts: {}, unfinished: new Set(), modules };
    realms.set(realm, kept);
    return kept.library;
  }
  if (shared === version) known.modules = modules;
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
