// ems <directory of packages> <add-int | add-float | at | set> <count>: the npm package ems, one element
// after another of an array that no other process touches.
import { initializeEms, type EmsArray } from './ems-domain';
import { expect, perElement, perOperation, report } from '../support';

const length = 1000;

function makeArray(packages: string, dataFill: number): EmsArray {
  return initializeEms(packages, {
    dimensions: [length],
    heapSize: 0,
    setFEtags: 'full',
    doDataFill: true,
    dataFill,
  });
}

/** An element keeps its initial type: an integer, or a double if the initial value was not an integer. */
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
    for (let i = 0; i < length; i++) ofPass += array.read(i) as number;
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
