// idle-waits <number> <seconds>: that many tasks wait for events that nobody sets. Prints the processor time
// that the process uses in a second.
import { setTimeout as sleep } from 'node:timers/promises';
import { NamedEvent } from 'shmkit';
import { nameOf, now, report } from '../support';

async function main([count, seconds]: string[]): Promise<void> {
  const events = Array.from({ length: Number(count) }, (_, i) =>
    NamedEvent.create({ name: nameOf(`idle-${i}`) }),
  );
  try {
    const waits = events.map((event) => event.wait().catch(() => undefined));
    // By then, each wait looks again as rarely as it ever will.
    await sleep(10_000);
    const [begin, used] = [now(), process.cpuUsage()];
    await sleep(1000 * Number(seconds));
    const { user, system } = process.cpuUsage(used);
    report(((user + system) * 1000) / (Number(now() - begin) / 1e9));
    for (const event of events) event.set();
    await Promise.all(waits);
  } finally {
    for (const event of events) event.unlink();
  }
}

void main(process.argv.slice(2));
