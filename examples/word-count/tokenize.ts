import type { WordTable } from './word-table';

/**
 * A word is a run of two or more letters. The case of ASCII letters does not matter. Every byte of a
 * multi-byte UTF-8 sequence counts as a letter. That is right for ü and 語, and too generous for –. In
 * return, the text is counted as it lies in memory, without ever becoming a string.
 */
export const leastLetters = 2;

/** For each byte, the letter that it stands for, in lower case. 0: the byte is not a letter. */
export const letters = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return byte;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a && byte >= 0x41 ? lower : 0;
});

/** FNV-1a, one letter at a time. */
export const hashSeed = 0x811c9dc5 | 0;
export function hashOn(hash: number, letter: number): number {
  return Math.imul(hash ^ letter, 0x01000193);
}

/** Adds every word of a text to the table. */
export function countWords(text: Uint8Array, table: WordTable): void {
  let hash = hashSeed;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    // The end of the text also ends its last word.
    const letter = at < text.length ? letters[text[at]!]! : 0;
    if (letter !== 0) {
      hash = hashOn(hash, letter);
      continue;
    }
    if (at - start >= leastLetters) table.add(text, start, at, hash, 1);
    hash = hashSeed;
    start = at + 1;
  }
}
