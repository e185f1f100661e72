// Builds the addon with node-gyp. Rebuilds only what has changed. Prints output only when the build fails.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { headersEnvironment } from './node-headers.mjs';

const nodeGyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
const steps = existsSync('native/build/config.gypi') ? ['configure', 'build'] : ['rebuild'];
for (const step of steps) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [nodeGyp, step, '--directory', 'native', ...process.argv.slice(2)],
    {
      env: { ...process.env, ...headersEnvironment() },
      encoding: 'utf8',
    },
  );
  if (status === 0) continue;
  process.stderr.write(stdout + stderr);
  process.exit(status ?? 1);
}
