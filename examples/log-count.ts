/**
 * Four workers count the lines of a log by level. The lines reach them in chunks through a queue. The sums
 * grow in a dict.
 *
 *     node -r ts-node/register examples/log-count.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Manager } from 'shmkit';

const workers = 4;
const chunks = 200;
const levels = ['debug', 'info', 'warn', 'error'];

async function work(): Promise<void> {
  using manager = Manager.fromEnv();
  using log = manager.queue<string>('log');
  using sums = manager.dict<number>('sums');
  for await (const chunk of log.items()) {
    const counts = new Map<string, number>();
    for (const line of chunk.split('\n')) {
      const level = line.slice(0, line.indexOf(' '));
      counts.set(level, (counts.get(level) ?? 0) + 1);
    }
    for (const [level, count] of counts) sums.add(level, count);
  }
}

async function main(): Promise<void> {
  using manager = Manager.create();
  using log = manager.queue<string>('log', { maxSize: 16 }); // slow workers slow the reader down
  using sums = manager.dict<number>('sums');
  const children: ChildProcess[] = [];
  try {
    const env = { ...process.env, ...manager.env() };
    for (let i = 0; i < workers; i++) children.push(fork(__filename, ['work'], { env }));
    const finish = Promise.all(children.map(success));
    await Promise.race([feed(log), finish]); // a worker that fails ends the reading
    await finish;
    for (const level of levels) console.log(`${level}: ${sums.get(level)}`);
  } finally {
    for (const child of children) child.kill(); // workers that still run when another one has failed
  }
}

async function feed(log: ReturnType<Manager['queue']>): Promise<void> {
  for (let i = 0; i < chunks; i++) {
    const lines = Array.from({ length: 100 }, (_, n) => `${levelOf(n)} ${i}:${n} happened`);
    await log.put(lines.join('\n'));
  }
  log.shutdown(); // ends the workers' loops when the queue is empty
}

function levelOf(n: number): string {
  if (n % 10 === 0) return 'error';
  if (n % 5 === 1) return 'warn';
  return n % 2 === 1 ? 'info' : 'debug';
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

void (process.argv[2] === 'work' ? work() : main());
