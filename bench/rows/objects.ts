import { c, node } from '../contenders';
import { atMostTimes, timesAsFastAs, told } from '../goals';
import type { Row } from './row';

/** Immutable objects of 64 MiB. */
export const objectRows: Row[] = [
  {
    id: 'object-attach',
    title: 'SharedObject of 64 MiB: attach + close',
    contenders: {
      shmkit: node('memory/objects', 'attach', '-', 10_000),
      C: c('attach-large', 10_000),
    },
    goals: [atMostTimes(2, 'C')],
  },
  {
    id: 'object-attach-value',
    title: 'the same, and its array in between',
    contenders: {
      shmkit: node('memory/objects', 'attach-value', '-', 10_000),
      C: c('attach-large', 10_000),
    },
    goals: [told('C')],
  },
  {
    id: 'object-create',
    title: 'SharedObject of 64 MiB: create + close; C: write',
    contenders: {
      shmkit: node('memory/objects', 'create', '-', 10),
      C: c('write-large', 10),
    },
    goals: [atMostTimes(1.3, 'C')],
  },
  {
    id: 'object-trip',
    title: '64 MiB array to a child, which sums it up',
    contenders: {
      shmkit: node('memory/objects', 'trip', 'shared', 8),
      'child.send': node('memory/objects', 'trip', 'sent', 3),
    },
    goals: [timesAsFastAs(5, 'child.send')],
  },
];
