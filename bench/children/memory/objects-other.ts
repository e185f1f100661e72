// The other process of objects: holds an object, or sums up the numbers that it gets.
import { SharedObject, attach, type SharedObjectHandle } from 'shmkit';

interface Message {
  readonly hold?: string;
  readonly length?: number;
  readonly object?: SharedObjectHandle<Float64Array>;
  readonly numbers?: Float64Array;
}

let held: SharedObject | undefined;

function sumOf(numbers: Float64Array): number {
  let sum = 0;
  // eslint-disable-next-line @typescript-eslint/prefer-for-of -- an iterator costs more than the sum
  for (let i = 0; i < numbers.length; i++) sum += numbers[i]!;
  return sum;
}

function answer({ hold, length = 0, object, numbers }: Message): number {
  if (hold !== undefined) {
    held = SharedObject.create({ name: hold, from: new Float64Array(length) });
    return 0;
  }
  if (object === undefined) return sumOf(numbers!);
  const attached = attach(object);
  const sum = sumOf(attached.value);
  attached.close();
  return sum;
}

process.on('message', (message: Message) => process.send!(answer(message)));
process.on('disconnect', () => held?.close());
