// Text in bytes. In some releases of runtimes, Buffer's methods take an offset modulo 2 ** 32, or do not
// accept offsets of 2 ** 31 or more. A view that begins at the place itself works in all of them. So offsets
// are passed to these methods only in this file, and only where they cannot be that large.
const greatestOffset = 2 ** 31 - 1;

/** Texts up to this many characters are handled in a loop, because that is faster than a call. */
const fewToCheck = 8;
const fewToRead = 12;
const fewToWrite = 24;

export function readLatin1(buffer: Buffer, at: number, length: number): string {
  const end = at + length;
  if (length <= fewToRead) {
    let text = '';
    for (let i = at; i < end; i++) text += String.fromCharCode(buffer[i] ?? 0);
    return text;
  }
  return end <= greatestOffset
    ? buffer.toString('latin1', at, end)
    : buffer.subarray(at, end).toString('latin1');
}

/** @param length - the number of characters. */
export function readUtf16(buffer: Buffer, at: number, length: number): string {
  const end = at + 2 * length;
  return end <= greatestOffset
    ? buffer.toString('utf16le', at, end)
    : buffer.subarray(at, end).toString('utf16le');
}

export function readUtf8(buffer: Buffer, at: number, end: number): string {
  return end <= greatestOffset
    ? buffer.toString('utf8', at, end)
    : buffer.subarray(at, end).toString('utf8');
}

/** Writes a text with one byte per character. {@link isLatin1} must be true for the text. */
export function writeLatin1(buffer: Buffer, text: string, at: number): void {
  const { length } = text;
  if (length <= fewToWrite) {
    for (let i = 0; i < length; i++) buffer[at + i] = text.charCodeAt(i);
  } else {
    writeFrom(buffer, text, at, length, 'latin1');
  }
}

export function writeUtf16(buffer: Buffer, text: string, at: number): void {
  const { length } = text;
  if (length <= fewToWrite) {
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      buffer[at + 2 * i] = unit;
      buffer[at + 2 * i + 1] = unit >>> 8;
    }
  } else {
    writeFrom(buffer, text, at, 2 * length, 'utf16le');
  }
}

/** A view of the place itself takes longer to make than a short text to write. */
function writeFrom(buffer: Buffer, text: string, at: number, bytes: number, form: BufferEncoding) {
  if (at + bytes <= greatestOffset) buffer.write(text, at, bytes, form);
  else buffer.subarray(at, at + bytes).write(text, form);
}

const wide = /[^\0-\xff]/;

/** Whether one byte per character is enough. */
export function isLatin1(text: string): boolean {
  if (text.length <= fewToCheck) {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
    return true;
  }
  // V8 knows of each text whether it has one byte per character. If so, it does not look at the characters.
  return !wide.test(text);
}
