import { invalidName } from './errors';

/**
 * A `TypeError` for an option that does not exist.
 *
 * @param hint - what to say about this option, if known. Otherwise the message suggests the option that was
 * probably meant.
 */
export function unknownOption(key: string, known: readonly string[], hint?: string): TypeError {
  const said = hint ?? didYouMean(key, known);
  return invalidName(
    `unknown option '${key}'${said === undefined ? '' : ` (${said})`}; ` +
      `known options: ${known.map((each) => `'${each}'`).join(', ')}`,
  );
}

function didYouMean(name: string, known: readonly string[]): string | undefined {
  const near = nearestOf(name, known);
  return near === undefined ? undefined : `did you mean '${near}'?`;
}

/** The name that was probably meant, out of the known names, or undefined when none is similar. */
export function nearestOf<T extends string>(name: string, known: readonly T[]): T | undefined {
  const [best] = known
    .map((each) => ({ each, distance: distanceOf(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ each, distance }) => distance <= Math.max(1, Math.floor(each.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return best?.each;
}

/** A longer name cannot be a typing error. */
const longest = 40;

/**
 * The edit distance: how many letters must be inserted, removed, replaced, or swapped with their neighbours.
 */
function distanceOf(a: string, b: string): number {
  if (a.length > longest) return Infinity;
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Infinity;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    rows.push(row);
    for (let j = 1; j <= b.length; j++) {
      const replaced = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwapped ? at(i - 2, j - 2) + 1 : Infinity;
      row.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, replaced, swapped));
    }
  }
  return at(a.length, b.length);
}
