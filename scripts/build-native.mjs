// Builds the addon with node-gyp. Headers come from the Node installation that runs this, where it
// has them; node-gyp downloads them only where it has not.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const prefix = path.resolve(process.execPath, '..', '..');
const local = existsSync(path.join(prefix, 'include', 'node', 'common.gypi'));
const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const step = existsSync('build/config.gypi') ? ['configure', 'build'] : ['rebuild'];
const args = [
  nodeGyp,
  ...step,
  ...(local ? [`--nodedir=${prefix}`] : []),
  ...process.argv.slice(2),
];
const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
process.exit(status ?? 1);
