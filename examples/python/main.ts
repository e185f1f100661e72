/**
 * numpy computes on an array that was created here, directly in its shared memory. Nothing is copied or
 * sent. Python holds the array's lock meanwhile. Needs python3 with numpy.
 *
 *     node -r ts-node/register examples/python/main.ts
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { SharedArray } from 'shmkit';

async function main(): Promise<void> {
  using numbers = SharedArray.create({ type: 'float64', length: 1_000_001 });
  try {
    for (let i = 0; i < numbers.length; i++) numbers.array[i] = i;
    print('before', numbers);
    await python('normalize.py', numbers.name);
    numbers.lock.runExclusiveSync(() => print('after', numbers));
  } finally {
    numbers.unlink();
  }
}

async function python(program: string, ...args: string[]): Promise<void> {
  // -B: Python writes no compiled files next to the sources.
  const words = ['-B', path.join(__dirname, program), ...args];
  // The folder of shmkit.py in this package.
  const folder = path.join(path.dirname(require.resolve('shmkit/package.json')), 'python');
  const env = { ...process.env, PYTHONPATH: folder };
  const child = spawn('python3', words, { stdio: 'inherit', env });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`python3 ended by ${signal ?? `code ${code}`}`);
}

function print(when: string, { array, length }: SharedArray<'float64'>): void {
  const [first, middle, last] = [0, (length - 1) / 2, length - 1].map((i) => array[i]!.toFixed(3));
  console.log(`${when}: ${first} … ${middle} … ${last}`);
}

void main();
