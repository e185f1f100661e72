// Runs the README's first example as two processes at once, in a project where shmkit is installed.
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';

const [project] = process.argv.slice(2);
const [counter, unlink] = [...readFileSync('README.md', 'utf8').matchAll(/```js\n(.*?)```/gs)].map(
  ([, code]) => code,
);

async function run(file, code) {
  const program = path.join(project, file);
  writeFileSync(program, code);
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.equal(status, 0);
  return output;
}

const outputs = await Promise.all([run('counter.mjs', counter), run('counter2.mjs', counter)]);
await run('unlink.mjs', unlink);
const last = Math.max(...outputs.map((output) => Number(/counted to (\d+)/.exec(output)[1])));
assert.equal(last, 2_000_000);
console.log(`two processes counted to ${last}`);
