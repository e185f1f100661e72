// One of the other processes of barrier.ts.
import { attend, cameOf, openMeeting } from './barrier-rounds';

const [index, way = '', count] = process.argv.slice(2);
const { barrier, memory } = openMeeting();
void attend(way, barrier, cameOf(memory, Number(index)), Number(count)).then(() =>
  process.disconnect(),
);
