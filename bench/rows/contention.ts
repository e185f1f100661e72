import { c, node, python } from '../contenders';
import { aheadOf, atMostTimes, timesAsFastAs, told } from '../goals';
import type { Row } from './row';

/** Objects that several processes want. */
export const contentionRows: Row[] = [
  {
    id: 'handover',
    title: 'acquire() handed over by another process',
    contenders: { shmkit: node('locks/handover', 'acquire', 200), C: c('handover', 200) },
    goals: [atMostTimes(3, 'C')],
  },
  {
    id: 'handover-sync',
    title: 'acquireSync() handed over by another process',
    contenders: { shmkit: node('locks/handover', 'acquireSync', 200), C: c('handover', 200) },
    goals: [told('C')],
  },
  {
    id: 'increment',
    title: '4 processes × a locked increment',
    contenders: {
      shmkit: node('locks/increments', 'lock', 500_000),
      C: c('increment', 1_000_000),
      CPython: python('increment', 30_000),
    },
    goals: [atMostTimes(2, 'C'), timesAsFastAs(15, 'CPython')],
  },
  {
    id: 'increment-add',
    title: '4 processes × SharedValue add(); C: a locked add',
    contenders: {
      shmkit: node('locks/increments', 'add', 1_000_000),
      C: c('increment-add', 5_000_000),
      CPython: python('increment', 30_000),
    },
    goals: [atMostTimes(3, 'C'), aheadOf('CPython')],
  },
  {
    id: 'increment-update',
    title: '4 processes × SharedValue update(); C: lock, add 1, unlock',
    contenders: {
      shmkit: node('locks/increments', 'update', 500_000),
      C: c('increment', 1_000_000),
      CPython: python('increment', 30_000),
    },
    goals: [told('C'), told('CPython')],
  },
];
