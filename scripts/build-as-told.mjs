// For a project whose shmkit has no addon: follows the instructions of the error that loading throws, and
// checks that they help.
//
//   node scripts/build-as-told.mjs PROJECT    a project that scripts/packed-project.sh made
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { headersEnvironment } from './node-headers.mjs';

const [, , cwd] = process.argv;
const options = { cwd, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' };
const load = 'try { require("shmkit"); } catch (error) { console.log(error.message); }';
const told = execFileSync(process.execPath, ['-e', load], options);
console.log(told);
const [, command] = told.trim().split('make and Python), run: ');
if (!command) throw new Error('it does not say what builds one');
execFileSync(command, {
  ...options,
  shell: true,
  env: { ...process.env, ...headersEnvironment() },
});
console.log(execFileSync(process.execPath, ['app.cjs'], options));
