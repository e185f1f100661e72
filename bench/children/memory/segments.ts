// segments <create | attach | attach-buffer> <count>: creates and closes segments of 4 KiB.
import { SharedMemory } from 'shmkit';
import { nameOf, perOperation, report } from '../support';

const size = 4096;
const name = nameOf('segment');

function creations(count: number): number {
  return perOperation(count, (times) => {
    for (let i = 0; i < times; i++) {
      const memory = SharedMemory.create({ name, size });
      memory.close();
      memory.unlink();
    }
  });
}

function attachments(count: number, withBuffer: boolean): number {
  using created = SharedMemory.create({ name, size });
  try {
    return perOperation(count, (times) => {
      for (let i = 0; i < times; i++) {
        const memory = SharedMemory.attach(name);
        if (withBuffer && memory.buffer.byteLength !== size) throw new Error('cut short');
        memory.close();
      }
    });
  } finally {
    created.unlink();
  }
}

const [way, count] = process.argv.slice(2);
report(
  way === 'create' ? creations(Number(count)) : attachments(Number(count), way === 'attach-buffer'),
);
