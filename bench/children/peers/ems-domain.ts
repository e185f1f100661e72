// The npm package ems, which comes without types.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { nameOf } from '../support';

/** As much of it as is used here. */
type Initialize = (processes: number, pin: boolean, model: string, name: string) => Ems;
interface Ems {
  new: (options: object) => EmsArray;
}
export interface EmsArray {
  faa(index: number, delta: number): number;
  read(index: number | string): unknown;
  write(index: number | string, value: unknown): void;
}

/** An array of it, as the options say, that nobody else touches. */
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
  // It leaves its objects behind. They are mapped by now.
  for (const name of Object.values(names)) rmSync(path.join('/dev/shm', name), { force: true });
  return array;
}
