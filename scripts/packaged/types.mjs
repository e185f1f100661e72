// For each supported version of TypeScript and each way of resolving a package's types: the package's
// declarations are checked as well, once with no other types installed, and once with Node's.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { projectWith, run } from './projects.mjs';

/**
 * The newest version of each kind. Between the first two, and between the last two, no version treats these
 * types differently.
 */
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

/**
 * The module settings that a project can have. Some settings read a file of ES modules as a different kind.
 */
function settings(major) {
  const all = {
    'node16, import': [{ module: 'node16', moduleResolution: 'node16' }, 'types.mts'],
    'node16, require': [{ module: 'node16', moduleResolution: 'node16' }, 'types.cts'],
    bundler: [{ module: 'es2022', moduleResolution: 'bundler' }, 'types.ts'],
  };
  // Later versions no longer support it.
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
    // Every setting is checked with the types of the language only. One is also checked with Node's types.
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
