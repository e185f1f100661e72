// filling <fill-bytes | fill-doubles | copy-typed | copy-array> <shared | ordinary> <count>: writes 64 MiB
// by one call on a typed array.
import { SharedMemory } from 'shmkit';
import { nameOf, perOperation, report } from '../support';

const size = 64 << 20;
const doubles = size / Float64Array.BYTES_PER_ELEMENT;

/** The ways to write a whole buffer, by name. `pass` makes the bytes differ each time. */
const ways: Record<string, (target: ArrayBuffer) => (pass: number) => unknown> = {
  'fill-bytes': (target) => {
    const bytes = new Uint8Array(target);
    return (pass) => bytes.fill(pass);
  },
  'fill-doubles': (target) => {
    const array = new Float64Array(target);
    return (pass) => array.fill(pass + 0.5);
  },
  'copy-typed': (target) => {
    const array = new Float64Array(target);
    const source = new Float64Array(doubles).fill(2.5);
    return () => array.set(source);
  },
  'copy-array': (target) => {
    const array = new Float64Array(target);
    const source: number[] = [];
    while (source.length < doubles) source.push(source.length + 0.5);
    return () => array.set(source);
  },
};

function sharedBuffer(): ArrayBuffer {
  const memory = SharedMemory.create({ name: nameOf('filling'), size });
  memory.unlink();
  return memory.buffer;
}

const [way = '', where, count] = process.argv.slice(2);
const target = where === 'shared' ? sharedBuffer() : new ArrayBuffer(size);
new Uint8Array(target).fill(1); // every page is there before the clock starts
const write = ways[way]!(target);
report(
  perOperation(Number(count), (passes) => {
    for (let pass = 0; pass < passes; pass++) write(pass);
  }),
);
