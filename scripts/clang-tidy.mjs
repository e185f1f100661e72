// Lints the C++ files of this platform with clang-tidy, where it is installed. (Debian has it as
// clang-tidy; the npm registry has none that is kept up.)
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { dialect, inParallel } from './compilation.mjs';

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
const lint = (file) =>
  new Promise((resolve) => {
    const args = ['--quiet', file, '--', ...dialect];
    const child = spawn('clang-tidy', args, { stdio: ['ignore', 'inherit', 'ignore'] });
    child.on('exit', (status) => resolve(status === 0));
  });

let failed = 0;
await inParallel(files, async (file) => {
  if (!(await lint(file))) failed++;
});
console.log(`${files.length} C++ files linted, ${failed} with findings`);
process.exit(failed === 0 ? 0 : 1);
