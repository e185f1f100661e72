import { c, node, python } from '../contenders';
import { atMostTimes, told } from '../goals';
import type { Row } from './row';

/** Creates and closes segments of 4 KiB. */
export const segmentRows: Row[] = [
  {
    id: 'create',
    title: 'create + close + unlink, 4 KiB',
    contenders: {
      shmkit: node('memory/segments', 'create', 5000),
      C: c('create', 5000),
      CPython: python('create', 2000),
    },
    goals: [atMostTimes(1.5, 'C'), told('CPython')],
  },
  {
    id: 'attach',
    title: 'attach + close, 4 KiB',
    contenders: {
      shmkit: node('memory/segments', 'attach', 10_000),
      C: c('attach', 10_000),
      CPython: python('attach', 5000),
    },
    goals: [atMostTimes(1.5, 'C'), told('CPython')],
  },
  {
    id: 'attach-buffer',
    title: 'attach + buffer + close, 4 KiB',
    contenders: {
      shmkit: node('memory/segments', 'attach-buffer', 10_000),
      C: c('attach', 10_000),
      CPython: python('attach', 5000),
    },
    goals: [told('C'), told('CPython')],
  },
];
