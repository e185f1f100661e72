// Runs each snippet of README.md and docs/ unchanged, in a project in which only shmkit is installed:
// scripts/check-readme.mjs PROJECT. Snippets in TypeScript are checked by the compiler first.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';

const project = path.resolve(process.argv[2]);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');

/** What a snippet leaves to the reader to define. It is inserted before the snippet here. */
const readers = {
  render: 'function render(path: string): string { return `the page ${path}`; }',
  handle:
    'function handle(job: unknown): void { console.log(job); setImmediate(() => process.exit()); }',
  repair: 'function repair(): void { console.log("repaired"); }',
};

/** How to run snippets that need more than being run alone. Each is identified by one of its lines. */
const stories = {
  'counter.mjs': async (run) => {
    const outputs = await Promise.all([run(), run()]);
    const counts = outputs.map((output) => Number(/counted to (\d+)/.exec(output)[1]));
    assert.equal(Math.max(...counts), 2_000_000);
  },
  'of jobs.items()': async (run, { beside }) => {
    // Another program puts a job, and stays until the job is done.
    const [output] = await Promise.all([
      run(),
      beside(`
        import { Manager } from 'shmkit';
        const jobs = Manager.open('site').queue('jobs');
        await jobs.put('a job');
        await jobs.join();
      `),
    ]);
    assert.equal(output.trim(), 'a job');
  },
  'held.abandoned': async (run, { beside }) => {
    const killed = beside(
      `
        import { NamedLock } from 'shmkit';
        NamedLock.open('counter').acquireSync();
        process.kill(process.pid, 'SIGKILL');
      `,
      'SIGKILL',
    );
    await killed;
    assert.equal((await run()).trim(), 'repaired');
    await beside(`import { NamedLock } from 'shmkit'; NamedLock.unlink('counter');`);
  },
  'hits.add(1n)': async (run, { beside }) => {
    await run();
    await beside(`
      import assert from 'node:assert/strict';
      import { SharedValue } from 'shmkit';
      assert.equal(SharedValue.attach('hits').value, 1n);
      SharedValue.unlink('hits');
    `);
  },
  "SharedArray.open('samples'": async (run, { beside }) => {
    await run();
    await beside(`
      import assert from 'node:assert/strict';
      import { SharedArray } from 'shmkit';
      const samples = SharedArray.attach('samples');
      assert.ok([...samples.array].every((sample) => sample > 0));
      samples.unlink();
    `);
  },
};

let programs = 0;

/** Compiles a program, or only writes it if it is JavaScript (ESM or CommonJS). Returns the file. */
function compile(code, language) {
  const name = `snippet-${++programs}`;
  if (language === 'js') {
    const extension = code.includes('module.exports') ? 'cjs' : 'mjs';
    writeFileSync(path.join(project, `${name}.${extension}`), code);
    return `${name}.${extension}`;
  }
  writeFileSync(path.join(project, `${name}.mts`), code);
  // Without Node's types, which need not be installed.
  const compilerOptions = {
    strict: true,
    target: 'es2022',
    module: 'nodenext',
    lib: ['es2022', 'esnext.disposable', 'dom'],
    types: [],
  };
  const configuration = JSON.stringify({ compilerOptions, files: [`${name}.mts`] });
  writeFileSync(path.join(project, 'tsconfig.json'), configuration);
  const { status, stdout } = spawnSync(process.execPath, [tsc], { cwd: project, encoding: 'utf8' });
  assert.equal(status, 0, stdout);
  return `${name}.mjs`;
}

/** Runs a program, checks that it ends as it should, and returns what it printed. */
async function run(file, wanted = null) {
  const child = spawn(process.execPath, [file], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [status, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  assert.deepEqual([status, signal], wanted === null ? [0, null] : [null, wanted], output);
  return output;
}

/** The reader's definitions that a snippet uses, in the snippet's language. */
function prelude(code, language) {
  const taken = Object.entries(readers).filter(
    ([name]) => code.includes(`${name}(`) && !code.includes(`function ${name}`),
  );
  const lines = taken.map(([, declaration]) => declaration);
  const declared = lines.join('\n');
  return language === 'ts' ? declared : declared.replaceAll(/: (string|unknown|void)\b/g, '');
}

/** The snippets of a file, each with its language and the line at which it begins. */
function snippetsOf(file) {
  const whole = readFileSync(file, 'utf8');
  return [...whole.matchAll(/^```(js|ts)\n(.*?)^```/gms)].map(
    ({ 1: language, 2: code, index }) => ({
      where: `${file}:${whole.slice(0, index).split('\n').length}`,
      language,
      code,
    }),
  );
}

const docs = readdirSync('docs').map((file) => path.join('docs', file));
const snippets = ['README.md', 'bench/README.md', 'examples/README.md', ...docs].flatMap(
  snippetsOf,
);
const told = new Set();
for (const { where, language, code } of snippets) {
  const beside = (other, wanted) => run(compile(other, 'js'), wanted);
  const line = Object.keys(stories).find((each) => code.includes(each));
  try {
    const file = compile(`${prelude(code, language)}\n${code}`, language);
    if (line === undefined) await run(file);
    else await stories[line](() => run(file), { beside });
  } catch (error) {
    throw new Error(`${where} does not run as it stands`, { cause: error });
  }
  told.add(line);
  console.log(`ok: ${where}`);
}
assert.deepEqual(
  Object.keys(stories).filter((line) => !told.has(line)),
  [],
  'there are snippets no more that something is told of',
);
console.log(`${snippets.length} snippets run as they stand`);
