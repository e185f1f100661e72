import { c, node, python } from '../contenders';
import { atMostTimes, timesAsFastAs, told } from '../goals';
import type { Row } from './row';

/** A lock that several processes want. */
export const contentionRows: Row[] = [
  {
    id: 'handover',
    title: 'acquire() handed over by another process',
    contenders: { shmkit: node('handover', 'acquire', 200), C: c('handover', 200) },
    goals: [atMostTimes(3, 'C')],
  },
  {
    id: 'handover-sync',
    title: 'acquireSync() handed over by another process',
    contenders: { shmkit: node('handover', 'acquireSync', 200), C: c('handover', 200) },
    goals: [told('C')],
  },
  {
    id: 'increment',
    title: '4 processes × a locked increment',
    contenders: {
      shmkit: node('increments', 500_000),
      C: c('increment', 1_000_000),
      CPython: python('increment', 30_000),
    },
    goals: [atMostTimes(2, 'C'), timesAsFastAs(15, 'CPython')],
  },
];
