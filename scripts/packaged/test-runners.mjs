// With each test runner: two identical test files run in one worker, and each finds what the other creates.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { nodeOf, projectWith, run } from './projects.mjs';

const node22 = '22.23.5';

/** What each of the test files does is in test/packed/in-a-test-file.mjs. */
const tests = 'in-a-test-file';

let runs = 0;

/**
 * Runs the test files, and checks that the same tests pass in both.
 *
 * @param command - the runner, with its arguments; `report` is the file for its results
 */
function runFiles(folder, [node, ...args], report) {
  const name = `shmkit-runner-${process.pid}-${runs++}`;
  const use = (code) =>
    run(node, ['--eval', `const kit = require('shmkit'); ${code}`], { cwd: folder });
  try {
    const told = run(node, args, { cwd: folder, env: { SHMKIT_TEST_NAME: name, CI: '1' } });
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    const found = testResults.map(({ assertionResults }) =>
      assertionResults.map(({ title, status }) => `${status}: ${title}`).sort(),
    );
    assert.equal(found.length, 2, told);
    assert.ok(found[0].length >= 30, told);
    assert.deepEqual(found[0], found[1]);
    assert.deepEqual(
      found[0].filter((line) => !line.startsWith('passed')),
      [],
    );
    const count = use(`console.log(kit.SharedDict.open('${name}').get('count'))`);
    assert.equal(count.trim(), '2', 'both files had the dict');
  } finally {
    use(
      `for (const kind of ['SharedDict', 'NamedLock']) kit[kind].open('${name}').close(), kit[kind].unlink('${name}')`,
    );
  }
}

function jest(version, environment) {
  const folder = projectWith(`jest-${version}`, {
    jest: version,
    'jest-environment-jsdom': version,
  });
  const body = readFileSync(path.join(folder, `${tests}.mjs`), 'utf8');
  // Jest does not read ES modules by default.
  writeFileSync(
    path.join(folder, `${tests}.cjs`),
    body.replace('export default function', 'module.exports = function'),
  );
  const file = `require('./${tests}.cjs')(require('shmkit'), { test, expect, afterAll });\n`;
  for (const each of ['one', 'two']) writeFileSync(path.join(folder, `${each}.test.js`), file);
  const report = path.join(folder, 'report.json');
  const program = path.join(folder, 'node_modules/jest/bin/jest.js');
  const args = ['-i', '--ci', '--json', `--outputFile=${report}`, `--env=${environment}`];
  runFiles(folder, [process.execPath, program, ...args], report);
}

function vitest(version, pool, node = process.execPath) {
  const folder = projectWith(`vitest-${version}`, { vitest: version });
  const file = `import * as kit from 'shmkit';
import { afterAll, expect, test } from 'vitest';
import testKit from './${tests}.mjs';

testKit(kit, { test, expect, afterAll });
`;
  for (const each of ['one', 'two']) writeFileSync(path.join(folder, `${each}.test.mjs`), file);
  // Without its own configuration, vitest would use this repository's.
  writeFileSync(path.join(folder, 'vitest.config.mjs'), 'export default {};\n');
  const report = path.join(folder, 'report.json');
  const program = path.join(folder, 'node_modules/vitest/vitest.mjs');
  const args = ['run', `--pool=${pool}`, '--maxWorkers=1', '--reporter=json'];
  runFiles(folder, [node, program, ...args, `--outputFile=${report}`], report);
}

const pools = ['threads', 'forks', 'vmThreads', 'vmForks'];

export const cases = {
  'Jest 29, node': () => jest('29.7.0', 'node'),
  'Jest 29, jsdom': () => jest('29.7.0', 'jsdom'),
  'Jest 30, node': () => jest('30.5.2', 'node'),
  'Jest 30, jsdom': () => jest('30.5.2', 'jsdom'),
  ...Object.fromEntries(
    pools.flatMap((pool) => [
      [`vitest 4, ${pool}`, () => vitest('4.1.12', pool)],
      [`vitest 5, ${pool}`, () => vitest('5.1.2', pool, nodeOf(node22))],
    ]),
  ),
};
