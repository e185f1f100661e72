// elements <array | list | locked-list> <at | set> <count>: one element after another of a SharedArray of
// doubles, or of a ShareableList of ints, that no other process touches.
import { ShareableList, SharedArray } from 'shmkit';
import { expect, nameOf, perElement, report } from '../support';

/** How the elements are read and written. */
interface Elements {
  readonly length: number;
  at(index: number): unknown;
  set(index: number, value: number): void;
  unlink(): void;
}

const zeroes = new Array<number>(100).fill(0);
const makers: Record<string, () => Elements> = {
  array: () => SharedArray.create({ name: nameOf('array'), type: 'float64', length: 1000 }),
  list: () => ShareableList.create({ name: nameOf('list'), from: zeroes }),
  'locked-list': () => ShareableList.create({ name: nameOf('list'), from: zeroes, lock: true }),
};

function measureReading(elements: Elements, count: number): number {
  const { length } = elements;
  for (let i = 0; i < length; i++) elements.set(i, 1);
  let sum = 0;
  let done = 0;
  const nanoseconds = perElement(count, length, () => {
    let ofPass = 0;
    for (let i = 0; i < length; i++) ofPass += elements.at(i) as number;
    sum += ofPass;
    done += length;
  });
  expect('sum', sum, done);
  return nanoseconds;
}

function measureWriting(elements: Elements, count: number): number {
  const { length } = elements;
  const nanoseconds = perElement(count, length, () => {
    for (let i = 0; i < length; i++) elements.set(i, i);
  });
  for (let i = 0; i < length; i++) expect('element', elements.at(i), i);
  return nanoseconds;
}

const [kind = '', way, count] = process.argv.slice(2);
const elements = makers[kind]!();
report((way === 'at' ? measureReading : measureWriting)(elements, Number(count)));
elements.unlink();
