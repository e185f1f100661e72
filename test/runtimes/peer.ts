// Another process, or a worker thread, that runs what the suite sends it.
import { parentPort, workerData } from 'node:worker_threads';
import * as shmkit from 'shmkit';
import { given, say, told } from '../fixtures/protocol';
import { collectGarbage, type Act, type Kit, type Order, type Report } from './kit';

const handle = (parentPort ? workerData : given()[0]) as shmkit.Handle | null;

function report(what: Report): void {
  if (parentPort) parentPort.postMessage(what);
  else say(what);
}

const kit: Kit = {
  shared: handle && shmkit.attach(handle),
  shmkit,
  kept: {},
  collect: collectGarbage,
};

async function obey({ id, manner, act, given: data }: Order): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what the suite wrote itself
  const evaluate = new Function(`return (${act})`) as () => Act<unknown, unknown, unknown>;
  const perform = evaluate();
  const started = performance.now();
  if (manner === 'blocking') report({ id, isBegun: true });
  const result = new Promise((resolve) => resolve(perform(kit, data)));
  if (manner === 'async') report({ id, isBegun: true });
  const outcome = await result.then(
    (value) => ({ value }),
    (error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException;
      return { error: code ?? message };
    },
  );
  report({ id, took: performance.now() - started, ...outcome });
}

async function serve(): Promise<void> {
  if (parentPort) parentPort.on('message', (order: Order) => void obey(order));
  else for (;;) void obey((await told()) as Order);
}

// A process whose suite is gone exits, whatever it waits for.
void serve().catch(() => process.exit(0));
report({ id: 0 });
