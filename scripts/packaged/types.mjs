// By each TypeScript that is supported, every way of finding a package's types: its declarations are checked as
// well, with no other types beside them, and with Node's.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { projectWith, run } from './projects.mjs';

/** The newest of each; none between the first two and the last two knows other things of these types. */
const versions = ['5.2.2', '5.4.5', '5.7.3', '5.9.3', '6.0.3', '7.0.2'];

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  declaration: true,
  target: 'es2022',
  lib: ['es2022'],
};

/** What a project may say of modules: some call a file of ES modules another. */
function settings(major) {
  const all = {
    'node16, import': [{ module: 'node16', moduleResolution: 'node16' }, 'types.mts'],
    'node16, require': [{ module: 'node16', moduleResolution: 'node16' }, 'types.cts'],
    bundler: [{ module: 'es2022', moduleResolution: 'bundler' }, 'types.ts'],
  };
  // Later ones know it no longer.
  if (major <= 6) {
    const deprecated = major === 6 ? { ignoreDeprecations: '6.0' } : {};
    const node10 = { module: 'commonjs', moduleResolution: 'node10', ...deprecated };
    all.node10 = [node10, 'types.ts'];
  }
  return all;
}

function compile(version) {
  const folder = projectWith(`types-${version}`, {
    typescript: version,
    '@types/node': '20.19.43',
  });
  const tsc = path.join(folder, 'node_modules/typescript/bin/tsc');
  for (const [name, [module, file]] of Object.entries(settings(Number.parseInt(version, 10)))) {
    // Every setting with no types but those of the language; one with Node's, too.
    for (const types of name === 'node16, import' ? [[], ['node']] : [[]]) {
      const project = path.join(folder, `${name} ${types.join()}`.replaceAll(/\W+/g, '-'));
      mkdirSync(project);
      copyFileSync(path.join(folder, 'types.mts'), path.join(project, file));
      const compilerOptions = { ...strict, ...module, types, outDir: 'out', rootDir: '.' };
      const config = JSON.stringify({ compilerOptions, files: [file] });
      writeFileSync(path.join(project, 'tsconfig.json'), config);
      run(process.execPath, [tsc, '--project', project]);
    }
  }
}

export const cases = Object.fromEntries(
  versions.map((version) => [`TypeScript ${version}`, () => compile(version)]),
);
