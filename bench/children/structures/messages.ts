// messages <one-way | trip> <bytes> <count>: messages to a child through Node's own channel, and back. At
// most 1000 are on their way, as in queue.ts.
import type { ChildProcess } from 'node:child_process';
import { ask, ended, forkChild, now, report, warmUpOf } from '../support';

const mostOnTheWay = 1000;

async function sendAll(child: ChildProcess, message: string | Uint8Array, count: number) {
  let onTheWay = 0;
  let goOn: () => void = () => undefined;
  for (let i = 0; i < count; i++) {
    onTheWay++;
    child.send(message, () => {
      onTheWay--;
      goOn();
    });
    if (onTheWay >= mostOnTheWay) await new Promise<void>((resolve) => (goOn = resolve));
  }
  await ask(child, 'how many?');
}

async function main([way = '', bytes, times]: string[]): Promise<void> {
  const count = Number(times);
  const size = Number(bytes);
  const message = size < 1000 ? 'x'.repeat(size) : new Uint8Array(size);
  const child = forkChild('structures/messages-other', way);
  await ask(child, 'how many?');
  const all = async (many: number) => {
    if (way === 'one-way') await sendAll(child, message, many);
    else for (let i = 0; i < many; i++) await ask(child, message);
  };
  await all(warmUpOf(count));
  const start = now();
  await all(count);
  const nanoseconds = Number(now() - start) / count;
  child.disconnect();
  await ended(child);
  report(nanoseconds);
}

void main(process.argv.slice(2));
