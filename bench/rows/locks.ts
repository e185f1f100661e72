import { c, node, python } from '../contenders';
import { atMostTimes, timesAsFastAs, within } from '../goals';
import type { Row } from './row';

/** A lock that nobody else wants. */
export const lockRows: Row[] = [
  {
    id: 'lock',
    title: 'acquireSync + release',
    contenders: {
      shmkit: node('lock-pairs', 'acquireSync', 3_000_000),
      C: c('lock', 5_000_000),
      CPython: python('lock', 1_000_000),
      'CPython, with': python('lock-with', 500_000),
    },
    goals: [atMostTimes(2.5, 'C'), timesAsFastAs(3, 'CPython, with')],
  },
  {
    id: 'lock-exclusive',
    title: 'runExclusiveSync',
    contenders: { shmkit: node('lock-pairs', 'runExclusiveSync', 1_000_000) },
    goals: [],
  },
  {
    id: 'lock-async',
    title: 'await acquire() + release',
    contenders: { shmkit: node('lock-pairs', 'acquire', 500_000) },
    goals: [within(1000)],
  },
];
