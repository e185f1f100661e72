// barrier <waitSync | wait> <count>: four processes arrive at a barrier, and then all continue. Prints the
// time of a round.
import { attend, cameOf, openMeeting, processes } from './barrier-rounds';
import { ended, expect, forkChild, perOperationAsync, report, warmUpOf } from '../support';

async function main([way = '', count]: string[]): Promise<void> {
  const { barrier, memory } = openMeeting();
  try {
    const total = Number(count) + warmUpOf(Number(count));
    const all = Array.from({ length: processes }, (_, process) => process);
    const others = all
      .slice(1)
      .map((process) => forkChild('sync/barrier-party', process, way, total));
    const came = cameOf(memory, 0);
    const nanoseconds = await perOperationAsync(Number(count), (rounds) =>
      attend(way, barrier, came, rounds),
    );
    // No process can be past a round in which another has not arrived.
    for (const process of all) expect('rounds', cameOf(memory, process)[0], total);
    await Promise.all(others.map(ended));
    report(nanoseconds);
  } finally {
    barrier.unlink();
    memory.unlink();
  }
}

void main(process.argv.slice(2));
