// ems <directory of packages> <add-int | add-float | at | set> <count>: the npm package ems, one
// element after another of an array that nobody else touches.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, nameOf, perElement, perOperation, report } from './support';

/** As much of ems as is used here; it comes without types. */
type Initialize = (processes: number, pin: boolean, model: string, name: string) => Ems;
interface Ems {
  new: (options: object) => EmsArray;
}
interface EmsArray {
  faa(index: number, delta: number): number;
  read(index: number): number;
  write(index: number, value: number): void;
}

const length = 1000;

function makeArray(packages: string, dataFill: number): EmsArray {
  const initialize = createRequire(path.join(packages, 'package.json'))('ems') as Initialize;
  const names = { domain: nameOf('ems-domain'), array: nameOf('ems-array') };
  const array = initialize(1, false, 'user', names.domain).new({
    dimensions: [length],
    heapSize: 0,
    useExisting: false,
    persist: false,
    filename: names.array,
    doSetFEtags: true,
    setFEtags: 'full',
    doDataFill: true,
    dataFill,
  });
  // It leaves its objects behind. They are mapped by now.
  for (const name of Object.values(names)) rmSync(path.join('/dev/shm', name), { force: true });
  return array;
}

/** The element keeps the type that it has: an integer, or a double when that was no integer. */
function measureAdding(packages: string, count: number, delta: number): number {
  const array = makeArray(packages, delta);
  let done = 0;
  const nanoseconds = perOperation(count, (times) => {
    for (let i = 0; i < times; i++) array.faa(0, delta);
    done += times;
  });
  expect('sum', array.read(0), delta * (done + 1));
  return nanoseconds;
}

function measureReading(packages: string, count: number): number {
  const array = makeArray(packages, 0.5);
  let sum = 0;
  let done = 0;
  const nanoseconds = perElement(count, length, () => {
    let ofPass = 0;
    for (let i = 0; i < length; i++) ofPass += array.read(i);
    sum += ofPass;
    done += length;
  });
  expect('sum', sum, 0.5 * done);
  return nanoseconds;
}

function measureWriting(packages: string, count: number): number {
  const array = makeArray(packages, 0.5);
  const nanoseconds = perElement(count, length, () => {
    for (let i = 0; i < length; i++) array.write(i, i + 0.5);
  });
  for (let i = 0; i < length; i++) expect('element', array.read(i), i + 0.5);
  return nanoseconds;
}

const [packages = '', operation = '', count] = process.argv.slice(2);
const operations: Record<string, (packages: string, count: number) => number> = {
  'add-int': (directory, times) => measureAdding(directory, times, 1),
  'add-float': (directory, times) => measureAdding(directory, times, 0.5),
  at: measureReading,
  set: measureWriting,
};
report(operations[operation]!(packages, Number(count)));
