// What the start of a program costs: parts of Node that are loaded only for the library.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

const library = JSON.stringify(path.join(process.cwd(), 'dist/index.js'));

/** The modules of Node that a program loads. */
function loadedBy(source: string): string[] {
  const program = `
    ${source}
    console.log(JSON.stringify(process.moduleLoadList));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--eval', program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as string[];
}

it.each([
  [
    'a lock, a value, an event and a dict',
    `const { NamedLock, SharedValue, NamedEvent, SharedDict } = require(${library});
    const all = [NamedLock.create(), SharedValue.create({ type: 'int32' }),
      NamedEvent.create(), SharedDict.create()];
    all[3].set('key', { of: ['anything', new Float64Array(1)] });
    all[3].get('key');
    for (const each of all) { each.unlink(); each.close(); }`,
  ],
  [
    'a manager',
    `const { Manager } = require(${library});
    const manager = Manager.create();
    manager.lock('a').acquireSync().release();
    manager.shutdown();`,
  ],
])('%s loads little of Node', (_, source) => {
  const before = loadedBy('');
  const loaded = loadedBy(source).filter((module) => !before.includes(module));
  // Loading the first two takes 5 ms, and the third 2 ms.
  expect(loaded).not.toContain('NativeModule internal/crypto/util');
  expect(loaded).not.toContain('NativeModule internal/streams/readable');
  expect(loaded).not.toContain('NativeModule worker_threads');
  expect(loaded).not.toContain('NativeModule module');
});
