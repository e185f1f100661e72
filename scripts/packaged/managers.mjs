// For each package manager: no script is run, nothing is said about scripts, and the package works.
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileOf, newProject, nodeOf, pathWithoutCompilers, run, work } from './projects.mjs';

const node22 = '22.23.5';

const npm = (version, ...args) => ({
  program: ['npm', version, 'bin/npm-cli.js'],
  args: ['install', ...args],
});
const yarn4 = (version, linker) => ({
  program: ['@yarnpkg/cli-dist', version, 'bin/yarn.js'],
  args: ['install', '--no-immutable'],
  yarnrc: `nodeLinker: ${linker}\nenableScripts: true\nenableTelemetry: false\n`,
});
const pnpm = (version, file, node) => ({
  program: ['pnpm', version, `bin/${file}`],
  args: ['install', '--no-frozen-lockfile'],
  node,
});

const managers = {
  'npm 10': npm('10.9.9'),
  'npm 11': npm('11.19.1'),
  'npm 11, scripts blocked': npm('11.19.1', '--ignore-scripts'),
  'npm 12': { ...npm('12.2.2'), node: node22 },
  'yarn 1': { program: ['yarn', '1.22.22', 'bin/yarn.js'], args: ['install'] },
  'yarn 4.9, node-modules': yarn4('4.9.1', 'node-modules'),
  'yarn 4.9, pnp': yarn4('4.9.1', 'pnp'),
  'yarn 4.18, node-modules': yarn4('4.18.1', 'node-modules'),
  'yarn 4.18, pnp': yarn4('4.18.1', 'pnp'),
  'pnpm 9': pnpm('9.15.9', 'pnpm.cjs'),
  'pnpm 10': pnpm('10.34.9', 'pnpm.cjs'),
  'pnpm 11': pnpm('11.28.10', 'pnpm.mjs', node22),
  'pnpm 12': pnpm('12.21.0', 'pnpm.mjs', node22),
};

/** What package managers print about packages that have scripts to run. */
const notice =
  /node-gyp|\bgyp\b|(build|install|lifecycle) scripts?|approve-(builds|scripts)|YN000[457]/i;

function installAndUse(name) {
  const { program, args, yarnrc, node: version } = managers[name];
  const node = version === undefined ? process.execPath : nodeOf(version);
  const manager = fileOf(...program);
  const folder = newProject(name);
  const env = {
    PATH: pathWithoutCompilers(node),
    HOME: path.join(work, 'home'),
    CI: '1',
    YARN_ENABLE_IMMUTABLE_INSTALLS: '0',
  };
  if (yarnrc !== undefined) {
    writeFileSync(path.join(folder, '.yarnrc.yml'), yarnrc);
    writeFileSync(path.join(folder, 'yarn.lock'), '');
  }
  const told = run(node, [manager, ...args], { cwd: folder, env });
  if (notice.test(told)) throw new Error(`it says more than it should:\n${told}`);
  const isPnp = existsSync(path.join(folder, '.pnp.cjs'));
  const installed = path.join(folder, 'node_modules/shmkit');
  if (!isPnp && !existsSync(path.join(installed, 'prebuilds')))
    throw new Error(`nothing was installed:\n${told}`);
  if (!isPnp && existsSync(path.join(installed, 'build'))) throw new Error('something was built');
  const options = isPnp ? { NODE_OPTIONS: '--require ./.pnp.cjs' } : {};
  run(node, ['app.cjs'], { cwd: folder, env: { ...env, ...options } });
  // Plug'n'Play resolves imports only with a loader of its own.
  if (!isPnp) run(node, ['import.mjs'], { cwd: folder, env });
}

export const cases = Object.fromEntries(
  Object.keys(managers).map((name) => [name, () => installAndUse(name)]),
);
