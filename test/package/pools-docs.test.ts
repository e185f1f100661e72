// Each recipe of docs/pools.md runs as it stands, and prints what it says.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { onWindows } from '../support/system';

interface Recipe {
  readonly where: string;
  readonly files: Map<string, string>;
}

/** The recipes, each of which ends with the file that is started. */
function recipes(): Recipe[] {
  const text = readFileSync('docs/pools.md', 'utf8');
  const found: Recipe[] = [];
  let where = '';
  let files = new Map<string, string>();
  for (const [, heading, name, code] of text.matchAll(
    /^#+ ([^\n]+)$|^```javascript\n\/\/ (\S+)\n([^]*?)^```$/gm,
  )) {
    if (heading !== undefined) where = heading;
    else files.set(name!, code!);
    if (name !== 'main.mjs') continue;
    found.push({ where: `${where} (${found.length + 1})`, files });
    files = new Map();
  }
  return found;
}

it('there are recipes', () => {
  expect(recipes().length).toBeGreaterThanOrEqual(7);
});

// In the checkout, so that the package and the pools are found.
const root = path.resolve('out', 'pools');

it.skipIf(onWindows).each(recipes().map((recipe) => [recipe.where, recipe] as const))(
  '%s',
  (_, { files }) => {
    mkdirSync(root, { recursive: true });
    const folder = mkdtempSync(path.join(root, 'recipe-'));
    try {
      for (const [name, code] of files) writeFileSync(path.join(folder, name), code);
      const { status, stdout, stderr } = spawnSync(process.execPath, ['main.mjs'], {
        cwd: folder,
        encoding: 'utf8',
      });
      const wanted = /console\.log\(.*\); \/\/ (.*)$/m.exec(files.get('main.mjs')!)![1];
      expect([status, stdout.trim()], stderr).toEqual([0, wanted]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
