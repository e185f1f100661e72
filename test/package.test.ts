import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

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

const names = ['NamedLock', 'SharedMemory', 'SharedMemoryError', 'attach'];

describe('the package', () => {
  it('has the same names for import and require', () => {
    const show = 'console.log(JSON.stringify(Object.keys(all).sort()))';
    expect(evaluate('commonjs', `const all = require('shmkit'); ${show}`)).toEqual(names);
    expect(evaluate('module', `import * as all from 'shmkit'; ${show}`)).toEqual(
      expect.arrayContaining(names),
    );
  });

  it('is one instance for both', () => {
    const source = `
      import { NamedLock } from 'shmkit';
      import { createRequire } from 'node:module';
      const required = createRequire(process.cwd() + '/x.js')('shmkit');
      console.log(JSON.stringify(required.NamedLock === NamedLock));`;
    expect(evaluate('module', source)).toBe(true);
  });

  it('is loaded once per thread, and says so of its errors', () => {
    const require = createRequire(path.resolve('package.json'));
    const { SharedMemoryError } = require('shmkit') as typeof import('shmkit');
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
