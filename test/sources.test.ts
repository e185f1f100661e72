// The addon is built in three ways, each with its own list of sources.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** The files that a list names. */
function named(list: string): string[] {
  const text = readFileSync(list, 'utf8');
  return [...new Set(text.match(/native\/\w+\/\w+\.cc/g))].sort();
}

/** Those of every system, as the cross-compiler finds them. */
function found(): string[] {
  const source = `
    import { sourcesOf } from './scripts/sources.mjs';
    console.log(JSON.stringify(['linux', 'darwin', 'win32'].flatMap(sourcesOf)));`;
  const json = execFileSync(process.execPath, ['--input-type=module', '--eval', source]);
  return [...new Set(JSON.parse(String(json)) as string[])].sort();
}

describe.runIf(existsSync('scripts/sources.mjs'))('the addon, where its sources are', () => {
  // node-gyp has a hook of its own for programs that are not called node.exe.
  const ours = () => found().filter((file) => file !== 'native/binding/host_win32.cc');

  it('is made by node-gyp of what it is cross-compiled of', () => {
    expect(named('binding.gyp')).toEqual(ours());
  });

  it('is made by cmake-js of what it is cross-compiled of', () => {
    expect(named('CMakeLists.txt')).toEqual(ours());
  });
});
