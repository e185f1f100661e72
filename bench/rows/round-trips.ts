import { node } from '../contenders';
import { timesAsFastAs } from '../goals';
import type { Row } from './row';

/** A trip by message takes long. Trips by shared memory are short, so more of them are needed. */
const trips = { shared: 15, sent: 3 };

/** 64 MiB of doubles to a child and back. */
export const roundTripRows: Row[] = [
  {
    id: 'trip',
    title: '64 MiB array to a child, changed, and back',
    contenders: {
      shmkit: node('structures/round-trips', 'shared', 'changed', trips.shared),
      'child.send': node('structures/round-trips', 'sent', 'changed', trips.sent),
    },
    goals: [timesAsFastAs(100, 'child.send')],
  },
  {
    id: 'trip-alone',
    title: 'the same without the change',
    contenders: {
      shmkit: node('structures/round-trips', 'shared', 'unchanged', trips.shared),
      'child.send': node('structures/round-trips', 'sent', 'unchanged', trips.sent),
    },
    goals: [timesAsFastAs(100, 'child.send')],
  },
];
