// large <get | set> <apart | within> <bytes> <count>: an array as the value of a SharedDict that stores it apart, or does
// not. "get" also sums up the array, so that all of it is read.
import { SharedDict } from 'shmkit';
import { sum } from '../handoff/sum';
import { expect, perOperation, report } from '../support';

const [what, where, bytes = 0, count] = process.argv.slice(2);
const keys = 4;
const length = Number(bytes) / Float64Array.BYTES_PER_ELEMENT;
const dict = SharedDict.create<Float64Array>({
  capacity: 2 * keys * Number(bytes) + (1 << 20),
  ...(where === 'apart' && { outOfBand: 4096 }),
});
const value = new Float64Array(length).fill(1);
for (let key = 0; key < keys; key++) dict.set(String(key), value);
let found = 0;
let done = 0;
const nanoseconds = perOperation(Number(count), (times) => {
  done += times;
  for (let i = 0; i < times; i++) {
    const key = String(i % keys);
    if (what === 'set') dict.set(key, value);
    else found += sum(dict.get(key)!);
  }
});
expect('the sum', found, what === 'set' ? 0 : done * length);
dict.unlink();
dict.close();
report(nanoseconds);
