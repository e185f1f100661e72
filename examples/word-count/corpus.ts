import fs from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SharedMemory } from 'shmkit';
import type { Range } from './board';

const extensions = new Set(
  (
    '.js .cjs .mjs .ts .cts .mts .json .md .txt .css .html .yml .yaml ' +
    '.h .cc .c .cpp .py .gyp .gypi'
  ).split(' '),
);

/** Text files that are named without an extension in packages. */
const bareNames = /^(authors|changelog|copying|licen[cs]e|notice|readme)$/i;

export interface TextFile {
  readonly path: string;
  readonly bytes: number;
}

/** A chunk ends when it has this many bytes, or with the file that exceeds them. Files are not split. */
const chunkBytes = 1 << 20;

/** Every file below a directory that looks like text by its name. Does not follow links. */
export function findFiles(directory: string): TextFile[] {
  const files: TextFile[] = [];
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) {
      // Hidden directories are caches of tools, which can change while we read.
      if (!entry.name.startsWith('.')) files.push(...findFiles(full));
    } else if (entry.isFile() && looksLikeText(entry.name)) {
      files.push({ path: full, bytes: fs.statSync(full).size });
    }
  }
  return files;
}

function looksLikeText(name: string): boolean {
  return extensions.has(path.extname(name).toLowerCase()) || bareNames.test(name);
}

/** Text contains no NUL characters. A file that does is something else, whatever its name is. */
export function isText(bytes: Uint8Array): boolean {
  return !bytes.includes(0);
}

/** The bytes of the files in shared memory, and where each chunk of them lies. */
export interface LaidText {
  readonly segment: SharedMemory;
  readonly chunks: readonly Range[];
  /** How many of the files were text. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Reads files straight into a new segment, one after another. Each is followed by a 0 byte, so that the
 * last word of a file does not run into the first word of the next.
 */
export async function layText(
  name: string,
  files: readonly TextFile[],
  signal: AbortSignal,
): Promise<LaidText> {
  const size = files.reduce((sum, file) => sum + file.bytes + 1, 0);
  if (size > 2 ** 32) throw new Error('the board keeps offsets in 32 bits; this is too much text');
  const segment = SharedMemory.create({ name, size });
  const all = segment.array('uint8');
  const chunks: Range[] = [];
  let [texts, start, end] = [0, 0, 0];
  for (const file of files) {
    const room = all.subarray(end, end + file.bytes);
    const bytes = readInto(room, file.path);
    if (!isText(room.subarray(0, bytes))) {
      // The next file overwrites these bytes. Only the 0 bytes between files must be restored.
      room.fill(0);
      continue;
    }
    texts++;
    end += bytes + 1;
    if (end - start >= chunkBytes) {
      chunks.push({ start, bytes: end - start });
      start = end;
      // Gives a signal the chance to be handled.
      await nextTurn();
      signal.throwIfAborted();
    }
  }
  if (end > start) chunks.push({ start, bytes: end - start });
  return { segment, chunks, files: texts, bytes: end };
}

function readInto(room: Uint8Array, file: string): number {
  const fd = fs.openSync(file, 'r');
  try {
    let bytes = 0;
    for (let more = 1; more > 0 && bytes < room.length; bytes += more) {
      more = fs.readSync(fd, room, bytes, room.length - bytes, null);
    }
    return bytes;
  } finally {
    fs.closeSync(fd);
  }
}
