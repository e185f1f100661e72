// ping-pong <way of ping-pong-sides.ts> <count>: a process wakes another, and sleeps until the other wakes
// it. Prints the time of a round trip.
import { openTrips, repeat, ways } from './ping-pong-sides';
import { ended, expect, forkChild, perOperationAsync, report, warmUpOf } from '../support';

async function main([way = '', count]: string[]): Promise<void> {
  const trips = openTrips();
  const { there, shared } = ways[way]!();
  try {
    const total = Number(count) + warmUpOf(Number(count));
    const other = forkChild('sync/ping-pong-other', way, total);
    const nanoseconds = await perOperationAsync(Number(count), (times) => repeat(there, times));
    expect('trips', trips.array('int32', 0, 1)[0], total);
    await ended(other);
    report(nanoseconds);
  } finally {
    for (const object of [trips, ...shared]) object.unlink();
  }
}

void main(process.argv.slice(2));
