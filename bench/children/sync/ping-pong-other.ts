// The other process of ping-pong.ts.
import { openTrips, repeat, ways } from './ping-pong-sides';

const [way = '', count] = process.argv.slice(2);
const trips = openTrips().array('int32', 0, 1);
const { back } = ways[way]!();

function answer() {
  trips[0]!++;
  return back();
}

void repeat(answer, Number(count)).then(() => process.disconnect());
