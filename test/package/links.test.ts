// Each link in README and the documentation leads to something that exists: on GitHub, and in the package.
// npm shows the package's README with its links resolved against the repository.
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly files: readonly string[];
  readonly homepage: string;
  readonly repository: { readonly url: string };
  readonly bugs: { readonly url: string };
};

const documents = [
  ...['README.md', 'CHANGELOG.md', 'bench/README.md', 'examples/README.md'],
  ...readdirSync('docs').map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md') && existsSync(file));

/** The document without its code. */
function proseOf(file: string): string {
  return readFileSync(file, 'utf8')
    .replaceAll(/^```[^]*?^```/gm, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()<>]/g, ''));
}

/**
 * The targets of the links in a document: links in the text, links that are defined below it, and images.
 */
function linksOf(file: string): string[] {
  const prose = proseOf(file);
  return [
    ...prose.matchAll(/\]\(([^()\s]+)(?: "[^"]*")?\)/g),
    ...prose.matchAll(/^\[[^\]]+\]: (\S+)/gm),
    ...prose.matchAll(/\b(?:href|src)="([^"]+)"/g),
  ].map(([, target]) => target!);
}

/** The anchors that GitHub and npm create for the headings of a document. */
function anchorsOf(file: string): Set<string> {
  const text = readFileSync(file, 'utf8').replaceAll(/^```[^]*?^```/gm, '');
  const anchors = new Set<string>();
  for (const [, heading] of text.matchAll(/^#{1,6} (.+)$/gm)) {
    const plain = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\- _]/gu, '').replaceAll(' ', '-');
    let name = anchor;
    for (let n = 1; anchors.has(name); n++) name = `${anchor}-${n}`;
    anchors.add(name);
  }
  return anchors;
}

/** Why a link leads nowhere, or undefined when it leads somewhere. */
function fault(from: string, target: string): string | undefined {
  if (/^(https?:|mailto:)/.test(target)) {
    return URL.canParse(target) ? undefined : 'is no address';
  }
  if (target.startsWith('/')) return 'begins at the root';
  const [file, anchor] = target.split('#') as [string, string?];
  const there = file === '' ? from : path.normalize(path.join(path.dirname(from), file));
  if (there.startsWith('..')) return 'leaves the repository';
  if (!existsSync(there)) return 'leads to no file';
  if (anchor === undefined) return undefined;
  if (statSync(there).isDirectory()) return 'leads into a directory';
  return anchorsOf(there).has(anchor) ? undefined : 'leads to no heading';
}

/** Whether a file is part of the package: npm includes it always, or because package.json says so. */
function isPacked(file: string): boolean {
  if (['package.json', 'README.md', 'LICENSE'].includes(file)) return true;
  return manifest.files.some((each) => file === each || file.startsWith(`${each}/`));
}

// If only a part of the repository is there, links to other parts cannot be checked.
describe.runIf(existsSync('bench') && existsSync('examples'))('the links', () => {
  it.each(documents)('of %s lead to what there is', (file) => {
    const faults = linksOf(file).map((target) => [target, fault(file, target)]);
    expect(faults.filter(([, why]) => why !== undefined)).toEqual([]);
  });

  it('are found', () => {
    expect(linksOf('README.md')).toEqual(expect.arrayContaining(['docs/errors.md']));
    expect(linksOf('examples/README.md')).toContain('word-count/main.ts');
    expect(fault('README.md', 'docs/errors.md#eexist')).toBeUndefined();
    expect(fault('README.md', 'docs/errors.md#eexi')).toBe('leads to no heading');
    expect(fault('docs/errors.md', 'nowhere.md')).toBe('leads to no file');
    expect(fault('docs/errors.md', '../../elsewhere')).toBe('leaves the repository');
  });

  it('of what is packed lead to what is packed, or into the repository that the package names', () => {
    const { repository, homepage, bugs } = manifest;
    const [, home] =
      /^git\+(https:\/\/github\.com\/[\w-]+\/[\w-]+)\.git$/.exec(repository.url) ?? [];
    expect([homepage, bugs.url]).toEqual([`${home}#readme`, `${home}/issues`]);
    const outside = documents
      .filter(isPacked)
      .flatMap((from) =>
        linksOf(from)
          .filter((target) => !/^(https?:|mailto:|#)/.test(target))
          .map((target) => path.normalize(path.join(path.dirname(from), target.split('#')[0]!))),
      )
      .filter((file) => !isPacked(file));
    // These are only in the repository, because they are too large for the package.
    expect(outside.filter((file) => !/^(bench|examples)\//.test(file))).toEqual([]);
  });
});
