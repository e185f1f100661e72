/**
 * Four processes count in one shared value: first under its lock, then with atomic additions only.
 *
 *     node -r ts-node/register examples/shared-counter.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SharedValue } from 'shmkit';

const workers = 4;
const times = 10_000;

const ways: Record<string, (counter: SharedValue<'int32'>) => void> = {
  locked: (counter) => counter.update((count) => count + 1),
  'lock-free': (counter) => counter.add(1),
};

function work(name: string, way: string): void {
  using counter = SharedValue.attach(name, { type: 'int32' });
  for (let i = 0; i < times; i++) ways[way]!(counter);
}

async function main(): Promise<void> {
  for (const way of Object.keys(ways)) {
    using counter = SharedValue.create({ type: 'int32', value: 0 });
    const children: ChildProcess[] = [];
    try {
      for (let i = 0; i < workers; i++) children.push(fork(__filename, [counter.name, way]));
      await Promise.all(children.map(success));
      console.log(`${way}: ${workers} processes counted to ${counter.value}`);
    } finally {
      for (const child of children) child.kill(); // processes that still run when another one has failed
      counter.unlink();
    }
  }
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

const [name, way] = process.argv.slice(2);
if (name === undefined) void main();
else work(name, way!);
