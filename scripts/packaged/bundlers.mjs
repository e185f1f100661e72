// Runs each recipe of docs/platforms.md, section Bundlers, exactly as it is printed there. A recipe is a
// block of commands; the last command starts the bundle. A block of JavaScript before it begins with a file
// name in a comment, and is the content of that file.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Skipped, fileOf, projectWith, root, run, work } from './projects.mjs';

const packages = {
  esbuild: '0.28.2',
  webpack: '5.113.0',
  'webpack-cli': '7.3.1',
  rollup: '4.68.8',
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-json': '6.1.0',
  '@rollup/plugin-node-resolve': '16.0.3',
  '@vercel/nft': '1.11.5',
  '@vercel/ncc': '0.45.0',
  postject: '1.0.0-alpha.6',
};

function bun() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Skipped('its binary is fetched for Linux x64 only');
  // Without AVX2, Bun's plain binary crashes with an illegal instruction.
  const hasAvx2 = /\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'latin1'));
  return fileOf(`@oven/bun-linux-x64${hasAvx2 ? '' : '-baseline'}`, '1.4.5', 'bin/bun');
}

/** The recipes, each named by the heading above it and the comment that it begins with. */
function recipes() {
  const text = readFileSync(path.join(root, 'docs/platforms.md'), 'utf8');
  const [, section] = /^## Bundlers\n(.*?)^## /ms.exec(text);
  let files = {};
  const found = {};
  let heading;
  for (const [, title, language, comment, body] of section.matchAll(
    /^### ([^\n]+)$|^```(\w+)\n(?:#|\/\/) ([^\n]+)\n(.*?)^```$/gms,
  )) {
    if (title !== undefined) heading = title;
    else if (language === 'js') files[comment] = body;
    else {
      found[`${heading}: ${comment}`] = { commands: body.trim().split('\n'), files };
      files = {};
    }
  }
  return found;
}

function runRecipe({ commands, files }) {
  const folder = projectWith('bundlers', packages);
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text);
  const there = [path.join(folder, 'node_modules/.bin'), path.dirname(process.execPath)];
  const all = commands.join('\n');
  if (/^bun /m.test(all)) there.push(path.dirname(bun()));
  const env = { PATH: [...there, process.env.PATH].join(path.delimiter) };
  assert.match(run('sh', ['-ec', all], { cwd: folder, env }), /ok$/m);
  // A bundle that contains the addons needs nothing else.
  if (!/prebuilds|nft|ncc/.test(all)) return;
  const installed = path.join(folder, 'node_modules/shmkit');
  const aside = path.join(folder, 'node_modules/.shmkit');
  rmSync(aside, { recursive: true, force: true });
  renameSync(installed, aside);
  try {
    runElsewhere(folder, commands.at(-1), /^cp .*prebuilds/m.test(all));
  } finally {
    renameSync(aside, installed);
  }
}

/**
 * Starts the bundle in a place where nothing else is installed. If the addons were copied beside it, starts
 * it without them as well.
 */
function runElsewhere(folder, command, isCopied) {
  const cwd = mkdtempSync(path.join(work, 'elsewhere-'));
  for (const name of ['dist', 'prebuilds']) {
    const from = path.join(folder, name);
    if (existsSync(from)) cpSync(from, path.join(cwd, name), { recursive: true });
  }
  assert.match(run('sh', ['-ec', command], { cwd }), /ok$/m);
  if (!isCopied) return;
  const isPrebuilds = (name) => existsSync(path.join(cwd, name));
  const addons = path.join(cwd, ['prebuilds', 'dist/prebuilds'].find(isPrebuilds));
  rmSync(addons, { recursive: true });
  // Stderr goes to a file: a pipe's buffer would cut off the source line that Node prints, which is the
  // whole bundle.
  const { status } = spawnSync('sh', ['-ec', `exec 2> told; ${command}`], { cwd });
  const stderr = readFileSync(path.join(cwd, 'told'), 'utf8');
  assert.notEqual(status, 0);
  assert.match(stderr, /ERR_NO_ADDON/);
  assert.ok(stderr.includes(`copy its prebuilds folder to ${addons}`), stderr);
}

export const cases = Object.fromEntries(
  Object.entries(recipes()).map(([name, recipe]) => [name, () => runRecipe(recipe)]),
);
