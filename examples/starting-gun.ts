/**
 * Four runners get ready, each at its own pace, and wait for one event. Setting it starts them all.
 *
 *     node -r ts-node/register examples/starting-gun.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { NamedEvent, SharedArray } from 'shmkit';

const runners = 4;

async function run(gunName: string, startsName: string, lane: number): Promise<void> {
  using gun = NamedEvent.attach(gunName);
  using starts = SharedArray.attach(startsName, { type: 'float64' });
  process.send!('ready');
  await gun.wait({ timeout: 60_000 }); // the timeout is for a starter that died and never fires
  starts.set(lane, now());
}

async function main(): Promise<void> {
  using gun = NamedEvent.create();
  using starts = SharedArray.create({ type: 'float64', length: runners });
  const children: ChildProcess[] = [];
  try {
    for (let lane = 0; lane < runners; lane++) {
      children.push(fork(__filename, [gun.name, starts.name, String(lane)]));
    }
    const finish = Promise.all(children.map(success));
    const ready = Promise.all(children.map((child) => once(child, 'message')));
    await Promise.race([ready, finish]); // a runner that fails before it is ready ends the race
    console.log(`${runners} runners are ready`);
    const fired = now();
    gun.set();
    await finish;
    for (const [lane, started] of [...starts].entries()) {
      console.log(`runner ${lane + 1} started ${(started - fired).toFixed(2)} ms after the gun`);
    }
  } finally {
    for (const child of children) child.kill(); // runners that still run when another one has failed
    gun.unlink();
    starts.unlink();
  }
}

/** Milliseconds of a clock that all processes of the machine share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

const [gun, starts, lane] = process.argv.slice(2);
if (gun === undefined) void main();
else void run(gun, starts!, Number(lane));
