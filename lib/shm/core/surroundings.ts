import { statSync, statfsSync } from 'node:fs';
import { native } from './binding';

// What there is around an object that could not be had, for what people are told of it. Nothing here
// decides anything: it may have changed since. Each is undefined where it is not known.

/** How much there is of a file system. */
export interface Room {
  readonly total: number;
  readonly free: number;
  /** Whether it takes no more files, however small. */
  readonly isFullOfFiles: boolean;
}

/** Whose a file is, and what others may do with it. */
export interface Permissions {
  readonly uid: number;
  readonly mode: number;
}

export function roomAt(place: string): Room | undefined {
  return attempt(() => {
    const { blocks, bavail, bsize, files, ffree } = statfsSync(place);
    // ramfs says 0 of all: it has no limit.
    if (blocks === 0) return undefined;
    return {
      total: blocks * bsize,
      free: bavail * bsize,
      isFullOfFiles: files > 0 && ffree === 0,
    };
  });
}

/** @param file - a file in the place; without it, the place itself. */
export function permissionsOf(place: string, file?: string): Permissions | undefined {
  return attempt(() => {
    const { uid, mode } = statSync(file === undefined ? place : `${place}/${file}`);
    return { uid, mode: mode & 0o7777 };
  });
}

/** Of all that the process shares its limit with. */
export function memoryLimit(): number {
  return native.memoryLimit();
}

export function currentUser(): number | undefined {
  return process.geteuid?.();
}

/** To three digits: `64 MiB`, `1.53 GiB`, `100 bytes`. */
export function describeBytes(bytes: number): string {
  const { size, unit } = measure(bytes);
  return `${round(size)} ${unit}`;
}

/** The same, with the number itself where that is another: `95.4 MiB (100000000 bytes)`. */
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
