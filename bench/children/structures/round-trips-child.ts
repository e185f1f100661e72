// The child of round-trips.ts: takes arrays by handle or by value, and answers in the same way.
import { attach, type SharedMemoryHandle } from 'shmkit';

const changes = process.argv[2] === 'changed';

function change(array: Float64Array): void {
  for (let i = 0; i < array.length; i++) array[i]!++;
}

function answer(message: 'ready?' | SharedMemoryHandle | Float64Array): unknown {
  if (message === 'ready?') return 'ready';
  if (message instanceof Float64Array) {
    if (changes) change(message);
    return message;
  }
  using memory = attach(message);
  const array = memory.array('float64');
  if (changes) change(array);
  return 'done';
}

process.on('message', (message) => process.send!(answer(message as never)));
