import { readFileSync, statSync, statfsSync } from 'node:fs';
import { native } from './binding';

// Facts about the surroundings of an object that could not be opened or made, for error messages. They are
// not used for decisions, because they may have changed since. Each is undefined where it is not known.

/** The space of a file system. */
export interface Room {
  readonly total: number;
  readonly free: number;
  /** Whether it allows no more files, however small. */
  readonly isFullOfFiles: boolean;
}

/** The owner of a file, and what others may do with it. */
export interface Permissions {
  readonly uid: number;
  readonly mode: number;
}

export function roomAt(place: string): Room | undefined {
  return attempt(() => {
    const { blocks, bavail, bsize, files, ffree } = statfsSync(place);
    // ramfs reports 0 for everything: it has no limit.
    if (blocks === 0) return undefined;
    return {
      total: blocks * bsize,
      free: bavail * bsize,
      isFullOfFiles: files > 0 && ffree === 0,
    };
  });
}

/** @param file - a file in the directory; without it, the directory itself. */
export function permissionsOf(place: string, file?: string): Permissions | undefined {
  return attempt(() => {
    const { uid, mode } = statSync(file === undefined ? place : `${place}/${file}`);
    return { uid, mode: mode & 0o7777 };
  });
}

/** The memory limit in bytes. The process may share it with others. */
export function memoryLimit(): number {
  return native.memoryLimit();
}

/** The mappings of this process. */
export interface Mappings {
  readonly count: number;
  /** How many the system allows. */
  readonly most: number;
}

export function mappings(): Mappings | undefined {
  return attempt(() => ({
    count: readFileSync('/proc/self/maps', 'latin1').split('\n').length - 1,
    most: Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1')),
  }));
}

export function currentUser(): number | undefined {
  return process.geteuid?.();
}

/** A size with three significant digits: `64 MiB`, `1.53 GiB`, `100 bytes`. */
export function describeBytes(bytes: number): string {
  const { size, unit } = measure(bytes);
  return `${round(size)} ${unit}`;
}

/** The same, with the exact number if rounding changed it: `95.4 MiB (100000000 bytes)`. */
export function describeExactly(bytes: number): string {
  const { size } = measure(bytes);
  const rounded = describeBytes(bytes);
  return round(size) === size ? rounded : `${rounded} (${bytes} bytes)`;
}

function measure(bytes: number): { size: number; unit: string } {
  let size = bytes;
  let unit = 'bytes';
  for (const larger of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return { size, unit };
}

function round(size: number): number {
  return size >= 100 ? Math.round(size) : Number(size.toPrecision(3));
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
