/**
 * A task queue without a server: processes that know nothing but a name take jobs from a queue. Each job has a large
 * array, which is not copied. Workers are killed while they work, and every job is done.
 *
 *     node -r ts-node/register examples/work-queue.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Manager, SharedObject } from 'shmkit';

const workers = 3;
const jobs = 24;
const kills = 4;

interface Job {
  readonly id: number;
  readonly frame: SharedObject<{ readonly pixels: Float32Array }>;
}

async function work(): Promise<void> {
  using manager = Manager.fromEnv();
  using queue = manager.queue<Job>('jobs');
  using sums = manager.dict<number>('sums');
  for (;;) {
    const item = await queue.take();
    process.send?.('working');
    const { id, frame } = item.value;
    const sum = frame.value.pixels.reduce((all, each) => all + each, 0);
    frame.close();
    sums.set(`${id}`, sum);
    item.ack(); // not acknowledged by a worker that is killed, and so offered to another one
  }
}

async function main(): Promise<void> {
  using manager = Manager.create();
  using queue = manager.queue<Job>('jobs');
  using sums = manager.dict<number>('sums');
  const frames = new Map<number, Job['frame']>();
  const children = new Set<ChildProcess>();
  let killed = 0;
  let isOver = false;
  const start = (): void => {
    const child = fork(__filename, ['work'], { env: { ...process.env, ...manager.env() } });
    children.add(child);
    child.on('message', () => {
      if (killed < kills && child.kill('SIGKILL')) killed++;
    });
    child.on('exit', () => {
      children.delete(child);
      if (!isOver) start();
    });
  };
  try {
    for (let id = 0; id < jobs; id++) {
      const frame = SharedObject.create({ from: { pixels: new Float32Array(1 << 20).fill(id) } });
      frames.set(id, frame); // held until its job is done
      await queue.put({ id, frame });
    }
    for (let i = 0; i < workers; i++) start();
    await queue.join(); // until every job is acknowledged
    const right = [...frames.keys()].filter((id) => sums.get(`${id}`) === id * (1 << 20));
    console.log(`${right.length} of ${jobs} jobs are done, and ${killed} workers were killed`);
  } finally {
    isOver = true;
    for (const frame of frames.values()) frame.close();
    await Promise.all(
      [...children].map(async (child) => {
        child.kill();
        await once(child, 'exit');
      }),
    );
  }
}

void (process.argv[2] === 'work' ? work() : main());
