/**
 * Five workers want the same ten results, each of which takes long to compute. They share one dict: the
 * first worker that asks for a result computes it. The others wait for it, or find it in the dict.
 *
 *     node -r ts-node/register examples/shared-cache.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Manager } from 'shmkit';

const workers = 5;
const keys = Array.from({ length: 10 }, (_, i) => `report ${i}`);

async function work(): Promise<void> {
  using manager = Manager.fromEnv();
  using cache = manager.dict<{ title: string; by: number }>('cache');
  using computed = manager.value('computed', { type: 'int32' });
  for (const key of keys) {
    const result = await cache.getOrSet(key, async () => {
      await delay(50); // stands for a slow query, or a remote call
      computed.add(1);
      return { title: key.toUpperCase(), by: process.pid };
    });
    if (result.title !== key.toUpperCase()) throw new Error(`a wrong result: ${result.title}`);
  }
}

async function main(): Promise<void> {
  using manager = Manager.create(); // what it creates is removed together with it
  using computed = manager.value('computed', { type: 'int32' });
  using cache = manager.dict('cache');
  const children: ChildProcess[] = [];
  try {
    const env = { ...process.env, ...manager.env() };
    for (let i = 0; i < workers; i++) children.push(fork(__filename, ['work'], { env }));
    await Promise.all(children.map(success));
    console.log(`${workers} workers asked ${workers * keys.length} times`);
    console.log(`${cache.size} results were computed ${computed.value} times in all`);
  } finally {
    for (const child of children) child.kill(); // workers that still run when another one has failed
  }
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

void (process.argv[2] === 'work' ? work() : main());
