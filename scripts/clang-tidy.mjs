// Lints the C++ files of this platform with clang-tidy, where it is installed. (Debian has it as
// clang-tidy; the npm registry has none that is kept up.)
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';

if (spawnSync('clang-tidy', ['--version']).error) {
  console.log('SKIPPED C++ lint: clang-tidy is not installed');
  process.exit(0);
}
const others = process.platform === 'linux' ? /darwin|win32/ : /linux|futex|pthread|ofd|win32/;
const files = ['os', 'core', 'binding']
  .flatMap((floor) =>
    readdirSync(path.join('native', floor)).map((file) => path.join('native', floor, file)),
  )
  .filter((file) => file.endsWith('.cc') && !others.test(file));
const require = createRequire(import.meta.url);
const includes = [
  require('node-addon-api').include_dir,
  require('node-api-headers').include_dir,
].flatMap((directory) => ['-isystem', directory]);
const flags = [
  '-std=gnu++17',
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];
const lint = (file) =>
  new Promise((resolve) => {
    const args = ['--quiet', file, '--', ...flags, ...includes];
    const child = spawn('clang-tidy', args, { stdio: ['ignore', 'inherit', 'ignore'] });
    child.on('exit', (status) => resolve(status === 0));
  });

let failed = 0;
const work = async () => {
  for (let file; (file = files.pop());) if (!(await lint(file))) failed++;
};
const { length } = files;
await Promise.all(Array.from({ length: availableParallelism() }, work));
console.log(`${length} C++ files linted, ${failed} with findings`);
process.exit(failed === 0 ? 0 : 1);
