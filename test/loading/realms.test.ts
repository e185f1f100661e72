// Several evaluations of the library in one thread: in separate realms, as test runners create them for
// each test file, and from copies of the package.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Copies } from '../support/copies';

const root = process.cwd();

/**
 * Parses the JSON that a program prints. The program has `main`, which is the library, and `inNewRealm()`.
 */
function run(source: string, setUp = ''): unknown {
  const program = `
    const main = require(${JSON.stringify(path.join(root, 'dist/index.js'))});
    const newRealm = require(${JSON.stringify(path.join(root, 'test/fixtures/realm.cjs'))});
    const inNewRealm = () => newRealm(${JSON.stringify(path.join(root, 'dist/index.js'))});
    ${setUp}
    (async () => { ${source} })().then((result) => console.log(JSON.stringify(result)));`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--eval', program],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

/** Expressions for a realm that has `library` and `name`. Each must be true there. */
const ofItsOwnRealm = {
  'a class':
    'Object.getPrototypeOf(library.NamedLock.prototype) !== null && library.NamedLock instanceof Function',
  'a TypeError':
    '(() => { try { library.NamedLock.attach(1); } catch (e) { return e instanceof TypeError; } })()',
  'a RangeError':
    '(() => { try { library.NamedSemaphore.create({ value: -1 }); } catch (e) { return e instanceof RangeError || e instanceof TypeError; } })()',
  'an error':
    "(() => { try { library.NamedLock.attach('no-such'); } catch (e) { return e instanceof Error && e instanceof library.SharedMemoryError && e.code === 'ENOENT'; } })()",
  'a promise':
    "(() => { const lock = library.NamedLock.open(name + 'p'); const promise = lock.acquire(); promise.then((guard) => { guard.release(); lock.unlink(); lock.close(); }); return promise instanceof Promise; })()",
  'a guard':
    '(() => { const lock = library.NamedLock.open(name); const guard = lock.acquireSync(); const right = guard.lock === lock && guard instanceof Object; guard.release(); lock.close(); return right; })()',
  'an object of a dict':
    "(() => { const dict = library.SharedDict.open(name); dict.set('o', { a: [1] }); const got = dict.get('o'); dict.close(); return got instanceof Object && got.a instanceof Array; })()",
  'a Map of a dict':
    "(() => { const dict = library.SharedDict.open(name); dict.set('m', new Map([[1, 2]])); const got = dict.get('m'); dict.close(); return got instanceof Map && got.get(1) === 2; })()",
  'a Date of a list':
    '(() => { const list = library.SharedList.open(name); list.push(new Date(5)); const got = list.pop(); list.close(); return got instanceof Date && got.getTime() === 5; })()',
  'an item of a queue':
    '(() => { const queue = library.SharedQueue.open(name); queue.putSync({ a: 1 }); const got = queue.getSync(); queue.close(); return got instanceof Object && got.a === 1; })()',
};

describe('realms of one thread', () => {
  it('get classes, errors, promises and values of their own, each as the first', () => {
    const told = run(
      `
      const results = [];
      for (let round = 0; round < 3; round++) {
        const realm = inNewRealm();
        realm.evaluate('var name = "shmkit-realms"');
        const wrong = {};
        for (const [what, source] of Object.entries(cases)) {
          let right;
          try { right = realm.evaluate(source); } catch (error) { right = String(error); }
          if (right !== true) wrong[what] = right;
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
        results.push(wrong);
      }
      for (const kind of ['NamedLock', 'SharedDict', 'SharedList', 'SharedQueue']) main[kind].unlink('shmkit-realms');
      return results;`,
      `const cases = ${JSON.stringify(ofItsOwnRealm)};`,
    );
    expect(told).toEqual([{}, {}, {}]);
  });

  it('get them of what another realm has open, too', () => {
    const told = run(
      `
      const kept = ['NamedLock', 'SharedDict', 'SharedList', 'SharedQueue'].map((kind) => main[kind].create({ name: 'shmkit-realms' }));
      kept[1].set('x', 1);
      kept[2].push(1);
      kept[3].putSync(1);
      kept[3].getSync();
      const realm = inNewRealm();
      realm.evaluate('var name = "shmkit-realms"');
      const wrong = {};
      for (const [what, source] of Object.entries(cases)) {
        let right;
        try { right = realm.evaluate(source); } catch (error) { right = String(error); }
        if (right !== true) wrong[what] = right;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      const mine = kept[1].get('o') instanceof Object && kept[1].get('m') instanceof Map;
      for (const each of kept) { each.unlink(); each.close(); }
      return [wrong, mine];`,
      `const cases = ${JSON.stringify(ofItsOwnRealm)};`,
    );
    expect(told).toEqual([{}, true]);
  });

  it('know of the locks that another holds, and hand them on', () => {
    const told = run(`
      const mine = main.NamedLock.create();
      const { library } = inNewRealm();
      const theirs = library.NamedLock.attach(mine.name);
      const guard = mine.acquireSync();
      const results = [theirs.tryAcquire(), theirs.held, theirs.locked];
      try { theirs.acquireSync(); } catch (error) { results.push(error.code, error instanceof library.SharedMemoryError); }
      const waiting = theirs.acquire();
      guard.release();
      const got = await waiting;
      results.push(got.lock === theirs, mine.locked, mine.held);
      const again = mine.acquire();
      got.release();
      (await again).release();
      mine.unlink();
      for (const each of [mine, theirs]) each.close();
      return results;`);
    expect(told).toEqual([null, false, true, 'ERR_DEADLOCK', true, true, true, false]);
  });

  it('guard a list of Python by a lock of another', () => {
    const told = run(`
      const lock = main.NamedLock.open('shmkit-realms-list');
      const realm = inNewRealm();
      realm.evaluate('var name = "shmkit-realms-list"');
      const make = realm.evaluate('(lock) => library.ShareableList.create({ name, from: [1, 2], lock })');
      const list = make(lock);
      lock.acquireSync();
      list.set(0, 5); // goes ahead: this thread has the lock
      lock.release();
      const got = [...list];
      let refused;
      try { make(lock.toJSON()); } catch (error) { refused = error.code; }
      list.unlink(); list.close(); lock.unlink(); lock.close();
      return [got, refused];
    `);
    expect(told).toEqual([[5, 2], 'ERR_INVALID_ARG_TYPE']);
  });

  it('enter a reentrant lock together', () => {
    const told = run(`
      const mine = main.NamedRLock.create();
      const theirs = inNewRealm().library.NamedRLock.attach(mine.name);
      const outer = mine.acquireSync();
      const inner = theirs.acquireSync();
      outer.release();
      const between = mine.locked;
      inner.release();
      const after = mine.locked;
      mine.unlink();
      for (const each of [mine, theirs]) each.close();
      return [between, after];`);
    expect(told).toEqual([true, false]);
  });

  it('take signals of each other, and of other implementations', () => {
    const told = run(`
      const lock = main.NamedLock.create();
      const guard = lock.acquireSync();
      const { evaluate } = inNewRealm();
      class Polyfill extends EventTarget {
        aborted = false;
        abort() { this.aborted = true; this.dispatchEvent(new Event('abort')); }
      }
      const results = [];
      for (const signal of [new Polyfill(), evaluate('({ aborted: true, addEventListener() {}, removeEventListener() {} })')]) {
        const waiting = lock.acquire({ signal }).catch((error) => error.name);
        signal.abort?.();
        results.push(await waiting);
      }
      for (const signal of [{}, null, { aborted: true }, 'x']) {
        await lock.acquire({ signal }).catch((error) => results.push(error.code));
      }
      guard.release();
      lock.unlink();
      lock.close();
      return results;`);
    const refused = 'ERR_INVALID_ARG_TYPE';
    expect(told).toEqual(['AbortError', 'AbortError', refused, refused, refused, refused]);
  });

  it('are not kept alive', () => {
    const told = run(`
      const refs = [];
      for (let i = 0; i < 4; i++) {
        const realm = inNewRealm();
        realm.evaluate('{ const lock = library.NamedLock.create(); lock.acquireSync().release(); lock.unlink(); lock.close(); }');
        realm.evaluate('{ const dict = library.SharedDict.create(); dict.set("a", {}); dict.unlink(); dict.close(); }');
        refs.push(new WeakRef(realm.library));
      }
      for (let i = 0; i < 20 && refs.slice(0, 3).some((ref) => ref.deref()); i++) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        gc();
      }
      // The engine may keep the last one in a register.
      return refs.slice(0, 3).map((ref) => ref.deref() === undefined);`);
    expect(told).toEqual([true, true, true]);
  });
});

describe('copies of the package in one thread', () => {
  let copies: Copies;

  /** @param edit - changes the loader of the copy. */
  function copy(edit?: (code: string) => string): string {
    const dist = copies.make((code, file) => {
      if (file !== 'loader' || edit === undefined) return code;
      const edited = edit(code);
      expect(edited).not.toBe(code);
      return edited;
    });
    return path.join(dist, 'index.js');
  }

  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const asVersion = (other: string) => (code: string) =>
    code.replaceAll(`"${version}"`, JSON.stringify(other));

  beforeAll(() => {
    copies = new Copies();
  });
  afterAll(() => {
    copies.remove();
  });

  it('are one where they are of one version', () => {
    const same = JSON.stringify(copy());
    const told = run(`
      const other = require(${same});
      const theirs = await import(require('node:url').pathToFileURL(${same}).href);
      const lock = main.NamedLock.create();
      const guard = lock.acquireSync();
      let code;
      try { other.NamedLock.attach(lock.name).acquireSync(); } catch (error) { code = error.code; }
      const dict = main.SharedDict.create();
      dict.set('lock', other.NamedLock.attach(lock.name));
      const kept = dict.get('lock') instanceof main.NamedLock;
      guard.release();
      for (const each of [lock, dict]) { each.unlink(); each.close(); }
      return [other.NamedLock === main.NamedLock, theirs.NamedLock === main.NamedLock, code, kept];`);
    expect(told).toEqual([true, true, 'ERR_DEADLOCK', true]);
  });

  it('are one for realms where they are of one version', () => {
    const same = JSON.stringify(copy());
    const told = run(`
      const lock = main.NamedLock.create();
      const guard = lock.acquireSync();
      const { library } = newRealm(${same});
      let code;
      try { library.NamedLock.attach(lock.name).acquireSync(); } catch (error) { code = error.code; }
      guard.release();
      lock.unlink();
      lock.close();
      return [code, library.NamedLock === main.NamedLock];`);
    expect(told).toEqual(['ERR_DEADLOCK', false]);
  });

  it('are one where the first has all that the second promises', () => {
    const newer = JSON.stringify(copy(asVersion('0.1.7')));
    const older = JSON.stringify(copy(asVersion('0.1.3')));
    const { stdout } = spawnSync(
      process.execPath,
      ['--eval', `console.log(require(${newer}).NamedLock === require(${older}).NamedLock);`],
      { encoding: 'utf8' },
    );
    expect(stdout).toBe('true\n');
  });

  it('are refused where they are not, with where each lies', () => {
    const others = {
      'an older one that comes second': copy(asVersion('0.0.9')),
      'a newer one that comes second': copy(asVersion('0.2.0')),
      'another layout': copy((code) => code.replace(/\blayoutVersion = 2\b/, 'layoutVersion = 3')),
    };
    const told = run(
      `
      const results = {};
      for (const [what, file] of Object.entries(others)) {
        try { require(file); results[what] = 'loaded'; } catch (error) { results[what] = [error.name, error.code, error.message]; }
      }
      return results;`,
      `main.NamedLock; const others = ${JSON.stringify(others)};`,
    ) as Record<string, string[]>;
    for (const [what, file] of Object.entries(others)) {
      const [name, code, message] = told[what] ?? [];
      expect([what, name, code]).toEqual([what, 'SharedMemoryError', 'ERR_ABI_MISMATCH']);
      expect(message).toContain(`already uses shmkit ${version} (layout version 2) from ${root}`);
      expect(message).toContain(path.dirname(path.dirname(file)));
    }
  });
});
