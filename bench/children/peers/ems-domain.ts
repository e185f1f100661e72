// The npm package ems, which has no type declarations.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { nameOf } from '../support';

/** The part of ems that is used here. */
type Initialize = (processes: number, pin: boolean, model: string, name: string) => Ems;
interface Ems {
  new: (options: object) => EmsArray;
}
export interface EmsArray {
  faa(index: number, delta: number): number;
  read(index: number | string): unknown;
  write(index: number | string, value: unknown): void;
}

/** An ems array with the given options, which no other process touches. */
export function initializeEms(packages: string, options: object): EmsArray {
  const initialize = createRequire(path.join(packages, 'package.json'))('ems') as Initialize;
  const names = { domain: nameOf('ems-domain'), array: nameOf('ems-array') };
  const array = initialize(1, false, 'user', names.domain).new({
    useExisting: false,
    persist: false,
    filename: names.array,
    doSetFEtags: true,
    ...options,
  });
  // ems does not remove its objects. They are mapped by now, so their names can be removed.
  for (const name of Object.values(names)) rmSync(path.join('/dev/shm', name), { force: true });
  return array;
}
