// shared-list <at | push> <count>: elements of a SharedList that no other process touches.
import { SharedList } from 'shmkit';
import { expect, nameOf, perElement, perOperation, report } from '../support';

const [way = '', count] = process.argv.slice(2);
const list = SharedList.create<number>({ name: nameOf('shared-list') });
list.unlink();

if (way === 'at') {
  const length = 1000;
  for (let i = 0; i < length; i++) list.push(i);
  let sum = 0;
  let passes = 0;
  const nanoseconds = perElement(Number(count), length, () => {
    for (let i = 0; i < length; i++) sum += list.at(i)!;
    passes++;
  });
  expect('sum', sum, (passes * (length * (length - 1))) / 2);
  report(nanoseconds);
} else {
  let done = 0;
  const nanoseconds = perOperation(Number(count), (times) => {
    for (let i = 0; i < times; i++) list.push(i);
    done += times;
  });
  expect('length', list.length, done);
  report(nanoseconds);
}
