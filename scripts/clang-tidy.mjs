// Lints the C++ files of this platform with clang-tidy, which must be installed. In Debian the package has
// that name. The npm registry has no maintained package of it.
//
// The files of a floor are checked as one file. This takes half the time, because the headers are read only
// once. If this finds a problem, each file is checked separately, to report the places.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { dialect, inParallel } from './compilation.mjs';

if (spawnSync('clang-tidy', ['--version']).error) {
  console.error('clang-tidy is missing; Debian has it under that name');
  process.exit(1);
}
const others = process.platform === 'linux' ? /darwin|win32/ : /linux|futex|pthread|ofd|win32/;
const scratch = 'out/clang-tidy';
mkdirSync(scratch, { recursive: true });

/** Two mechanisms of one contract cannot be in one source. */
const second = /_(flock|shm_open)\.cc$/;

const floors = ['os', 'core', 'binding'].flatMap((floor) => {
  const folder = path.join('native', floor);
  const files = readdirSync(folder)
    .map((file) => path.join(folder, file))
    .filter((file) => file.endsWith('.cc') && !others.test(file));
  return [files.filter((file) => !second.test(file)), files.filter((file) => second.test(file))]
    .filter((group) => group.length > 0)
    .map((group) => ({ folder, files: group }));
});

/** The sources are not joined with #include, because clang's analyzer skips included code. */
function joined({ folder, files }, number) {
  const file = path.join(scratch, `${path.basename(folder)}-${number}.cc`);
  writeFileSync(file, files.map((each) => readFileSync(each, 'utf8')).join('\n'));
  return file;
}

/** Resolves with whether a file has no problems. */
const lint = (file, include, stdout) =>
  new Promise((resolve) => {
    const args = ['--quiet', file, '--', ...dialect, '-I', include];
    const child = spawn('clang-tidy', args, { stdio: ['ignore', stdout, 'ignore'] });
    child.on('exit', (status) => resolve(status === 0));
  });

const count = floors.flatMap(({ files }) => files).length;
const suspects = [];
await inParallel([...floors.entries()], async ([number, floor]) => {
  const clean = await lint(joined(floor, number), floor.folder, 'ignore');
  if (!clean) suspects.push(floor);
});
let failed = 0;
for (const { folder, files } of suspects) {
  const before = failed;
  await inParallel(files, async (file) => {
    if (!(await lint(file, folder, 'inherit'))) failed++;
  });
  if (failed === before) {
    console.log(`${folder}: something is found in the files only when they are one`);
    failed++;
  }
}
console.log(`${count} C++ files linted, ${failed} with findings`);
process.exit(failed === 0 ? 0 : 1);
