// values <add | update | read | write> <int32 | int64 | float64> <count>: a SharedValue that no other
// process touches.
import { SharedValue } from 'shmkit';
import { expect, nameOf, perOperation, report } from '../support';

type Value = SharedValue<'int32' | 'int64' | 'float64'>;
type Repeat = (times: number) => void;

/** What is added each time. For float64 it is not an integer. */
const deltas = { int32: 1, int64: 1n, float64: 0.5 };

function additions(value: Value, delta: number | bigint): Repeat {
  return (times) => {
    for (let i = 0; i < times; i++) value.add(delta);
  };
}

function updates(value: Value, delta: number | bigint): Repeat {
  // Only one of the two types occurs, as the value's type says. They are never mixed.
  const increased = (before: number | bigint) => (before as number) + (delta as number);
  return (times) => {
    for (let i = 0; i < times; i++) value.update(increased);
  };
}

function measureSum(value: Value, delta: number | bigint, count: number, repeat: Repeat): number {
  let done = 0;
  const nanoseconds = perOperation(count, (times) => {
    repeat(times);
    done += times;
  });
  expect('sum', Number(value.value), Number(delta) * done);
  return nanoseconds;
}

function measureReading(value: Value, count: number): number {
  value.value = 1;
  let sum = 0;
  let done = 0;
  const nanoseconds = perOperation(count, (times) => {
    let read = 0;
    for (let i = 0; i < times; i++) read += value.value as number;
    sum += read;
    done += times;
  });
  expect('sum', sum, done);
  return nanoseconds;
}

function measureWriting(value: Value, count: number): number {
  const nanoseconds = perOperation(count, (times) => {
    for (let i = 0; i < times; i++) value.value = i;
  });
  expect('value', value.value, count - 1);
  return nanoseconds;
}

function measure(way: string, type: keyof typeof deltas, count: number): number {
  using value: Value = SharedValue.create({ name: nameOf('value'), type });
  value.unlink();
  const delta = deltas[type];
  switch (way) {
    case 'add':
      return measureSum(value, delta, count, additions(value, delta));
    case 'update':
      return measureSum(value, delta, count, updates(value, delta));
    case 'read':
      return measureReading(value, count);
    case 'write':
      return measureWriting(value, count);
    default:
      throw new RangeError(`no such way: ${way}`);
  }
}

const [way = '', type, count] = process.argv.slice(2);
report(measure(way, type as keyof typeof deltas, Number(count)));
