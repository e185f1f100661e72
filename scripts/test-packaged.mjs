// Installs the packed package as users do, and uses it: with each package manager, in each bundler's
// bundle, with each test runner, and with each TypeScript.
//
//   node scripts/test-packaged.mjs [GROUP | CASE ...]
//
// The system's addon must be in prebuilds/, and dist/ must be built. The last line adds up the counts.
import { rmSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { cases as bundlers } from './packaged/bundlers.mjs';
import { cases as managers } from './packaged/managers.mjs';
import { Skipped, work } from './packaged/projects.mjs';
import { cases as runners } from './packaged/test-runners.mjs';
import { cases as types } from './packaged/types.mjs';

const groups = { managers, bundlers, runners, types };
const all = Object.assign({}, ...Object.values(groups));

function casesOf(asked) {
  if (Object.hasOwn(groups, asked)) return Object.keys(groups[asked]);
  if (Object.hasOwn(all, asked)) return [asked];
  throw new Error(
    Object.entries(groups)
      .map(([group, cases]) => `${group}: ${Object.keys(cases).join('; ')}`)
      .join('\n'),
  );
}

const [, , ...asked] = process.argv;
const names = new Set((asked.length > 0 ? asked : Object.keys(groups)).flatMap(casesOf));
const counts = { passed: 0, failed: 0, skipped: 0 };
for (const name of names) {
  const started = performance.now();
  try {
    await all[name]();
    counts.passed++;
    console.log(`ok: ${name}, ${Math.round((performance.now() - started) / 1000)} s`);
  } catch (error) {
    counts[error instanceof Skipped ? 'skipped' : 'failed']++;
    console.log(`${error instanceof Skipped ? 'skipped' : 'FAILED'}: ${name}\n${error.message}`);
  }
}
rmSync(work, { recursive: true, force: true });
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
