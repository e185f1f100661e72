import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SharedMemoryError } from 'shmkit';
import { describe, expect, it } from 'vitest';
import { publicNames } from '../fixtures/public-names';

function evaluate(kind: 'module' | 'commonjs', source: string): unknown {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`--input-type=${kind}`, '--eval', source],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

interface Package {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function readPackage(folder: string): Package {
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as Package;
}

/** What loading prints in a project whose shmkit has these files as its addons. */
function loadedWith(addons: Record<string, string>): string[] {
  const project = mkdtempSync(path.join(tmpdir(), 'shmkit-'));
  try {
    const modules = path.join(project, 'node_modules');
    const installed = path.join(modules, 'shmkit');
    cpSync('dist', path.join(installed, 'dist'), { recursive: true });
    cpSync('package.json', path.join(installed, 'package.json'));
    cpSync('node_modules/node-gyp-build', path.join(modules, 'node-gyp-build'), {
      recursive: true,
    });
    for (const [file, content] of Object.entries(addons)) {
      mkdirSync(path.join(installed, path.dirname(file)), { recursive: true });
      writeFileSync(path.join(installed, file), content);
    }
    const source = `
      try { require('shmkit'); } catch (error) {
        console.log(JSON.stringify([error.name, error.code, error.message]));
      }`;
    const program = spawnSync(process.execPath, ['--eval', source], {
      cwd: project,
      encoding: 'utf8',
    });
    expect(program.stderr).toBe('');
    return JSON.parse(program.stdout) as string[];
  } finally {
    rmSync(project, { recursive: true });
  }
}

describe('the package', () => {
  it('has the same names for import and require', () => {
    const show = 'console.log(JSON.stringify(Object.keys(all).sort()))';
    expect(evaluate('commonjs', `const all = require('shmkit'); ${show}`)).toEqual(publicNames);
    expect(evaluate('module', `import * as all from 'shmkit'; ${show}`)).toEqual(
      expect.arrayContaining(publicNames),
    );
  });

  it('has classes of the names that they are exported by', () => {
    const show =
      'console.log(JSON.stringify(Object.keys(all).map((name) => all[name].name).sort()))';
    expect(evaluate('commonjs', `const all = require('shmkit'); ${show}`)).toEqual(publicNames);
  });

  it('has no class in it that is called otherwise than its variable', () => {
    const parts = readdirSync('dist').filter((file) => /(?<!^index)\.js$/.test(file));
    expect(parts).toEqual(expect.arrayContaining(['core.js', 'dict.js', 'loader.js']));
    for (const part of parts) {
      const code = readFileSync(path.join('dist', part), 'utf8');
      expect(code.match(/\w+ = class\b.*/g)).toBeNull();
      expect(code).toMatch(/^class \w+/m);
    }
  });

  it('depends on nothing that has dependencies or a script that runs at installation', () => {
    const { dependencies } = readPackage('.');
    expect(Object.keys(dependencies ?? {})).toEqual(['node-gyp-build']);
    const { scripts, ...rest } = readPackage('node_modules/node-gyp-build');
    expect([rest.dependencies, rest.optionalDependencies]).toEqual([undefined, undefined]);
    // Some package managers run these scripts without asking.
    for (const script of ['preinstall', 'install', 'postinstall']) {
      expect(scripts?.[script]).toBeUndefined();
      expect(readPackage('.').scripts?.[script]).toBeUndefined();
    }
  });

  it('has types that need no others, and no newer TypeScript than 5.2', () => {
    // Follows the imports of the public declarations.
    const declarations = ['index.d.ts', 'index.d.mts'];
    for (const file of declarations) {
      const text = readFileSync(path.join('dist', file), 'utf8').replaceAll(/\/\*.*?\*\//gs, '');
      for (const [, to = ''] of text.matchAll(/from '(\.[^']+)'/g)) {
        const next = path.join(path.dirname(file), to.replace(/\.js$/, '')) + '.d.ts';
        if (!declarations.includes(next)) declarations.push(next);
      }
      expect([file, /Array<ArrayBuffer>|\bBuffer\b|\bNodeJS\.|['"]node:/.exec(text)?.[0]]).toEqual([
        file,
        undefined,
      ]);
    }
    const project = mkdtempSync(path.join(tmpdir(), 'shmkit-'));
    try {
      const compilerOptions = {
        ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
        ...{ target: 'es2022', lib: ['es2022'], module: 'nodenext', types: [] },
      };
      const config = { compilerOptions, files: [path.resolve('dist/index.d.ts')] };
      writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify(config));
      const tsc = ['node_modules/typescript/bin/tsc', '--project', project];
      const { stdout, status } = spawnSync(process.execPath, tsc, { encoding: 'utf8' });
      expect([stdout, status]).toEqual(['', 0]);
    } finally {
      rmSync(project, { recursive: true });
    }
  });

  it('is one instance for both', () => {
    const source = `
      import { NamedLock } from 'shmkit';
      import { createRequire } from 'node:module';
      import { join } from 'node:path';
      const required = createRequire(join(process.cwd(), 'x.js'))('shmkit');
      console.log(JSON.stringify(required.NamedLock === NamedLock));`;
    expect(evaluate('module', source)).toBe(true);
  });

  it('is one instance in a thread, whatever becomes of the module cache', () => {
    const source = `
      const { NamedLock } = require('shmkit');
      const lock = NamedLock.create();
      lock.acquireSync();
      for (const path of Object.keys(require.cache)) {
        if (!path.endsWith('.node')) delete require.cache[path];
      }
      const again = require('shmkit');
      let code;
      try { again.NamedLock.attach(lock.name).acquireSync(); } catch (error) { code = error.code; }
      lock.unlink();
      lock.release();
      console.log(JSON.stringify([again.NamedLock === NamedLock, code]));`;
    expect(evaluate('commonjs', source)).toEqual([true, 'ERR_DEADLOCK']);
  });

  it('evaluates of itself what is wanted', () => {
    const source = `
      const parts = () => Object.keys(require.cache).map((file) => require('node:path').basename(file))
        .filter((name) => name.endsWith('.js') && !/^(index|loader|node-gyp-build)/.test(name)).sort();
      const all = require('shmkit');
      const seen = [parts()];
      for (const name of ['NamedLock', 'SharedDict']) {
        if (typeof all[name] === 'function') seen.push(parts());
      }
      console.log(JSON.stringify(seen));`;
    expect(evaluate('commonjs', source)).toEqual([
      [],
      ['core.js'],
      ['core.js', 'dict.js', 'values.js'],
    ]);
  });

  it('has parts that know of each other, whenever and by whom they are evaluated', () => {
    const source = `
      const first = require('shmkit');
      const { NamedLock } = first;
      for (const path of Object.keys(require.cache)) {
        if (!path.endsWith('.node')) delete require.cache[path];
      }
      const again = require('shmkit');
      const manager = again.Manager.create();
      const lock = manager.lock('lock');
      console.log(JSON.stringify([lock instanceof NamedLock, first.Manager === again.Manager]));
      manager.shutdown();`;
    expect(evaluate('commonjs', source)).toEqual([true, true]);
  });

  it('says what is missing where it has no addon, and what builds it', () => {
    const [name, code, message] = loadedWith({ 'prebuilds/sunos-x64/shmkit.node': '' });
    expect([name, code]).toEqual(['SharedMemoryError', 'ERR_NO_ADDON']);
    expect(message).toContain(`prebuilds for ${process.platform}-${process.arch}`);
    expect(message).toContain('the package has: sunos-x64;');
    if (process.platform === 'linux') {
      expect(message).toMatch(new RegExp(`for linux-${process.arch} (glibc|musl);`));
    }
    // One command that works in every shell, wherever the package is.
    const folder = path.join('node_modules', 'shmkit', 'native');
    expect(message).toMatch(
      /\(needs a C\+\+ compiler, make and Python\), run: npx --yes --package=node-gyp --package=node-addon-api node-gyp rebuild --directory "([^"]+)"$/,
    );
    expect(message?.endsWith(`${folder}"`)).toBe(true);
    expect(path.isAbsolute(/"(.+)"$/.exec(message ?? '')?.[1] ?? '')).toBe(true);
  });

  it('says how to bundle it where it was bundled without its addon', () => {
    const bundle = mkdtempSync(path.join(tmpdir(), 'shmkit-'));
    try {
      writeFileSync(path.join(bundle, 'package.json'), '{"name":"app"}');
      const file = path.join(bundle, 'dist', 'app.js');
      const contents =
        "try { require('./dist/index.js'); } catch (error) { console.log(error.code, error.message); }";
      const options = {
        stdin: { contents, resolveDir: process.cwd() },
        bundle: true,
        platform: 'node',
        outfile: file,
      };
      // Run in a separate process, because esbuild does not end the processes that it starts.
      evaluate(
        'commonjs',
        `require('esbuild').buildSync(${JSON.stringify(options)}); console.log(0);`,
      );
      const { stdout } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
      expect(stdout).toMatch(/^ERR_NO_ADDON there is no addon for this system: /);
      expect(stdout).toContain(`shmkit was bundled into ${realpathSync(file)}: keep it out`);
      expect(stdout).toContain('esbuild: --external:shmkit');
      const folder = path.join(realpathSync(bundle), 'prebuilds');
      expect(stdout).toContain(`or copy its prebuilds folder to ${folder};`);
    } finally {
      rmSync(bundle, { recursive: true });
    }
  });

  it('says why where its addon cannot be loaded', () => {
    const file = `prebuilds/${process.platform}-${process.arch}/shmkit.node`;
    const [, code, message] = loadedWith({ [file]: 'no addon' });
    expect(code).toBe('ERR_NO_ADDON');
    expect(message).toContain('cannot be loaded here');
    expect(message).toContain('shmkit.node');
  });

  it('has errors that say what they are', () => {
    const error = new SharedMemoryError('ENOENT', 'gone', { resource: 'x', cause: 1 });
    expect(error).toMatchObject({
      name: 'SharedMemoryError',
      code: 'ENOENT',
      resource: 'x',
      cause: 1,
    });
    expect(Object.keys(error).sort()).toEqual(['code', 'resource']);
    expect(String(error)).toBe('SharedMemoryError: gone');
  });
});
