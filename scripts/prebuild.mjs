// Fills prebuilds/ for this platform: one stripped addon, by Node-API, for every Node.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { headersEnvironment } from './node-headers.mjs';

const prebuildify = createRequire(import.meta.url).resolve('prebuildify/bin.js');
const { status } = spawnSync(process.execPath, [prebuildify, '--napi', '--strip'], {
  env: { ...process.env, ...headersEnvironment() },
  stdio: 'inherit',
});
process.exit(status ?? 1);
