import { c, node, python } from '../contenders';
import { atMostTimes, timesAsFastAs, told, within } from '../goals';
import type { Row } from './row';

/** Locks and permits that no other process wants. */
export const lockRows: Row[] = [
  {
    id: 'lock',
    title: 'acquireSync + release',
    contenders: {
      shmkit: node('locks/pairs', 'acquireSync', 3_000_000),
      C: c('lock', 5_000_000),
      CPython: python('lock', 1_000_000),
      'CPython, with': python('lock-with', 500_000),
    },
    goals: [atMostTimes(2.5, 'C'), timesAsFastAs(3, 'CPython, with')],
  },
  {
    id: 'lock-exclusive',
    title: 'runExclusiveSync',
    contenders: { shmkit: node('locks/pairs', 'runExclusiveSync', 1_000_000) },
    goals: [],
  },
  {
    id: 'lock-async',
    title: 'await acquire() + release',
    contenders: { shmkit: node('locks/pairs', 'acquire', 500_000) },
    goals: [within(1000)],
  },
  {
    id: 'semaphore',
    title: 'semaphore acquireSync + release',
    contenders: {
      shmkit: node('sync/pairs', 'semaphore', 500_000),
      C: c('semaphore', 5_000_000),
      CPython: python('semaphore', 1_000_000),
    },
    goals: [told('C'), told('CPython')],
  },
  {
    id: 'rlock',
    title: 'RLock, re-entered: acquireSync + release',
    contenders: {
      shmkit: node('sync/pairs', 'rlock', 3_000_000),
      C: c('rlock', 10_000_000),
      CPython: python('rlock', 1_000_000),
    },
    goals: [told('C'), told('CPython')],
  },
  {
    id: 'rwlock-read',
    title: 'RWLock acquireReadSync + release',
    contenders: {
      shmkit: node('sync/pairs', 'rwlock-read', 500_000),
      C: c('rwlock-read', 5_000_000),
    },
    goals: [told('C')],
  },
];
