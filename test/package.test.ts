import { spawnSync } from 'node:child_process';
import { SharedMemoryError } from 'shmkit';
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

const names = [
  'Manager',
  'NamedBarrier',
  'NamedCondition',
  'NamedEvent',
  'NamedLock',
  'NamedRLock',
  'NamedRWLock',
  'NamedSemaphore',
  'ShareableList',
  'SharedArray',
  'SharedDict',
  'SharedList',
  'SharedMemory',
  'SharedMemoryError',
  'SharedNamespace',
  'SharedQueue',
  'SharedValue',
  'attach',
];

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
