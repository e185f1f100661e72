// docs/conformance.md and the tests in this directory name the same cases, in the same order.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const here = path.resolve('test', 'conformance');

/** The tested cases of each class: `Lock.test_lock`. */
function tested(): string[] {
  return readdirSync(here)
    .filter((file) => file.endsWith('.test.ts') && file !== 'table.test.ts')
    .flatMap((file) => {
      const source = readFileSync(path.join(here, file), 'utf8');
      const [, suite] = /^describe\('(\w+)'/m.exec(source)!;
      return [...source.matchAll(/^ {2}it(?:\.skipIf\(\w+\))?\(\s*'(\w+): /gm)].map(
        ([, name]) => `${suite}.${name}`,
      );
    });
}

interface Row {
  name: string;
  cells: string[];
}

/** The rows of the tables, each under the heading of its class. */
function documented(): Row[] {
  const text = readFileSync(path.resolve('docs', 'conformance.md'), 'utf8');
  let suite = '';
  const rows: Row[] = [];
  for (const line of text.split('\n')) {
    suite = /^## (\w+)$/.exec(line)?.[1] ?? suite;
    const [, name, ...cells] = line.split('|').map((cell) => cell.trim());
    const [, bare] = /^`(test_\w+)`$/.exec(name ?? '') ?? [];
    if (bare !== undefined) rows.push({ name: `${suite}.${bare}`, cells: cells.slice(0, -1) });
  }
  return rows;
}

describe('docs/conformance.md', () => {
  const rows = documented();

  it('has a row for each case that is tested, and no other', () => {
    const names = rows.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
    expect([...names].sort()).toEqual(tested().sort());
  });

  it('says of each what it asserts and how it ends, and why where that is not CPython’s', () => {
    for (const { name, cells } of rows) {
      const [asserts, ends, why] = cells;
      expect(cells, name).toHaveLength(3);
      expect(asserts, name).not.toBe('');
      expect(ends, name).toMatch(/^(passes|differs)$/);
      expect(why === '', name).toBe(ends === 'passes');
    }
  });

  it('is right about how many there are', () => {
    const text = readFileSync(path.resolve('docs', 'conformance.md'), 'utf8');
    const count = (how: string): number => rows.filter(({ cells }) => cells[1] === how).length;
    const said = `${rows.length} cases: ${count('passes')} pass, ${count('differs')} differ`;
    expect(text.replaceAll('\n', ' ')).toContain(said);
  });
});
