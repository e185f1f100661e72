import { invalidType, outOfRange } from '../../common/errors';

/** The longest key, in characters. */
const longestKey = 2 ** 26 - 1;

const loneSurrogate = /\p{Surrogate}/u;

/** A key is stored in UTF-8, so that people can read it. One that has no UTF-8 form begins with this, and is in UTF-16. */
const mark = '\0';

/** The stored form of a key. Different keys have different forms. */
export function fieldOf(key: string): Buffer {
  if (typeof key !== 'string') throw invalidType('key', 'a string', key);
  if (key.length > longestKey) {
    throw outOfRange('key', `at most ${longestKey} characters long`, key.length);
  }
  if (!key.startsWith(mark) && !loneSurrogate.test(key)) return Buffer.from(key);
  return Buffer.concat([Buffer.from(mark), Buffer.from(key, 'utf16le')]);
}

export function keyOf(field: Buffer): string {
  if (field[0] !== 0) return field.toString();
  return field.subarray(1).toString('utf16le');
}
