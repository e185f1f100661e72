// The parts of the library, each of which is a file that is read when something of it is first used: what happens if
// that does not succeed at that moment.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { NamedSemaphore, SharedDict } from 'shmkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Copies } from '../support/copies';
import { onWindows } from '../support/system';
import { temporary } from '../support/temporaries';

let copies: Copies;

beforeAll(() => {
  copies = new Copies();
});

afterAll(() => {
  copies.remove();
});

/** Runs a program that has `dist`, `shmkit`, `fs` and `codeOf(fn)`, and parses the JSON that it prints. */
function run(dist: string, source: string): unknown {
  const program = `
    const [fs, path, vm] = [require('node:fs'), require('node:path'), require('node:vm')];
    const dist = ${JSON.stringify(dist)};
    const shmkit = require(dist);
    const codeOf = (fn) => {
      try { return [fn()]; }
      catch (error) { return error instanceof shmkit.SharedMemoryError ? error.code : String(error); }
    };
    ${source}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--eval', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

// On Windows, to send SIGINT ends the process.
describe.skipIf(onWindows)('an interrupt while a part is evaluated', () => {
  const stop = 'globalThis.stopHere?.();';
  const places: Record<string, (code: string) => string> = {
    'at its beginning': (code) => stop + code,
    'between two classes': (code) => {
      const classes = [...code.matchAll(/^class /gm)];
      const at = classes[classes.length >> 1]?.index ?? 0;
      return code.slice(0, at) + stop + code.slice(at);
    },
    'before it says what it exports': (code) => code.replace(/^module\.exports =/m, `${stop}$&`),
  };
  const uses: Record<string, [part: string, use: string, result: unknown]> = {
    'a class': ['dict', 'shmkit.SharedDict.open(name).set("key", 1).get("key")', 1],
    'a class that needs another part': ['values', 'shmkit.SharedList.open(name).push(1)', 1],
    'a handle': ['sync', 'shmkit.attach({ shmkit: "semaphore", name: semaphore }).value', 3],
    'a handle within a value': ['sync', 'open.dict.get("semaphore").value', 3],
    'the first class of all': ['core', 'shmkit.NamedLock.open(name).tryAcquire() !== null', true],
  };
  const cases = Object.entries(uses).flatMap(([what, [part, use, result]]) =>
    Object.keys(places).map((where) => ({ what, part, use, result, where })),
  );

  it.each(cases)(
    '$where: the next use of $what evaluates it anew',
    ({ part, use, result, where }) => {
      const dist = copies.make((code, each) => {
        const edited = each === part ? (places[where] as (code: string) => string)(code) : code;
        if (each === part) expect(edited).not.toBe(code);
        return edited;
      });
      using semaphore = temporary(NamedSemaphore.create({ value: 3 }));
      using dict = temporary(SharedDict.create());
      dict.set('semaphore', semaphore);
      const told = run(
        dist,
        `
      const [semaphore, name] = ${JSON.stringify([semaphore.name, `${dict.name}-parts`])};
      const open = { dict: ${use.includes('open.dict')} && shmkit.SharedDict.attach('${dict.name}') };
      let stops = 0;
      globalThis.stopHere = () => {
        stops++;
        globalThis.stopHere = undefined;
        process.kill(process.pid, 'SIGINT');
        for (;;);
      };
      globalThis.use = () => ${use};
      let interrupted;
      try { vm.runInThisContext('use()', { breakOnSigint: true }); } catch (error) { interrupted = error.code; }
      let result;
      try { result = [use()]; } catch (error) { result = String(error); }
      const { constructor } = shmkit.attach({ shmkit: 'semaphore', name: semaphore });
      console.log(JSON.stringify({
        stops, interrupted, result, isKnown: constructor === shmkit.NamedSemaphore,
      }));
      for (const each of ['SharedDict', 'SharedList', 'NamedLock'])
        codeOf(() => shmkit[each].unlink(name));`,
      );
      expect(told).toEqual({
        stops: 1,
        interrupted: 'ERR_SCRIPT_EXECUTION_INTERRUPTED',
        result: [result],
        isKnown: true,
      });
    },
  );
});

describe('a file that cannot be read at the moment', () => {
  it.each([
    {
      what: 'was removed',
      spoil: "fs.renameSync(file, file + '.gone')",
      mend: "fs.renameSync(file + '.gone', file)",
      code: 'ENOENT',
      message: /cannot read sync\.js of shmkit: .*removed or replaced, restart the process$/s,
    },
    {
      what: 'is a directory by now',
      spoil: "fs.renameSync(file, file + '.gone'); fs.mkdirSync(file)",
      mend: "fs.rmdirSync(file); fs.renameSync(file + '.gone', file)",
      code: 'ENOENT',
      message: /cannot read sync\.js of shmkit/,
    },
    {
      what: 'was replaced by that of another version',
      spoil:
        "kept = fs.readFileSync(file, 'utf8'); fs.writeFileSync(file, kept.replace(/checkBuild\\(\"../, '$&other'))",
      mend: 'fs.writeFileSync(file, kept)',
      code: 'ERR_ABI_MISMATCH',
      message: /^the files of shmkit in .* were replaced .* restart the process$/,
    },
  ])('says so, and is read later: it $what', ({ spoil, mend, code, message }) => {
    const dist = copies.make();
    const told = run(
      dist,
      `
      shmkit.NamedLock;
      const file = path.join(dist, 'sync.js');
      let kept;
      ${spoil};
      let error;
      try { shmkit.NamedSemaphore; } catch (thrown) { error = thrown; }
      const { code, message } = error;
      ${mend};
      console.log(JSON.stringify({
        isOurs: error instanceof shmkit.SharedMemoryError, code, message, later: shmkit.NamedSemaphore.name,
      }));`,
    );
    expect(told).toEqual({
      isOurs: true,
      code,
      message: expect.stringMatching(message) as string,
      later: 'NamedSemaphore',
    });
  });

  it.runIf(process.platform === 'linux')(
    'makes only those values unreadable that need it: a process has no descriptors left',
    () => {
      using semaphore = temporary(NamedSemaphore.create({ value: 3 }));
      using dict = temporary(SharedDict.create());
      // The order of the entries of a dict is different each time.
      for (let i = 0; i < 20; i++) dict.set(`good ${i}`, i);
      dict.set('semaphore', semaphore);
      const told = run(
        path.resolve('dist'),
        `
        const dict = shmkit.SharedDict.attach('${dict.name}');
        dict.get('good 0');
        const files = [];
        try { for (;;) files.push(fs.openSync('/dev/null', 'r')); } catch {}
        let count = 0;
        const get = codeOf(() => dict.get('semaphore'));
        const all = codeOf(() => { for (const each of dict) count++; });
        for (const file of files) fs.closeSync(file);
        console.log(JSON.stringify({ get, all, count, later: dict.get('semaphore').value }));`,
      );
      expect(told).toEqual({ get: 'EMFILE', all: 'EMFILE', count: 20, later: 3 });
    },
  );
});
