import { node, python } from '../contenders';
import { timesAsFastAs, told } from '../goals';
import type { Row } from './row';

/** A ShareableList of ints that no other process touches. CPython's has no lock. */
export const listRows: Row[] = [
  {
    id: 'list-get',
    title: 'ShareableList at(), int',
    contenders: {
      shmkit: node('structures/elements', 'list', 'at', 5_000_000),
      CPython: python('list-get', 200_000),
    },
    goals: [timesAsFastAs(10, 'CPython')],
  },
  {
    id: 'list-set',
    title: 'ShareableList set(), int',
    contenders: {
      shmkit: node('structures/elements', 'list', 'set', 5_000_000),
      CPython: python('list-set', 200_000),
    },
    goals: [timesAsFastAs(10, 'CPython')],
  },
  {
    id: 'list-get-locked',
    title: 'ShareableList at(), int, lock: true',
    contenders: {
      shmkit: node('structures/elements', 'locked-list', 'at', 1_000_000),
      CPython: python('list-get', 200_000),
    },
    goals: [told('CPython')],
  },
  {
    id: 'list-set-locked',
    title: 'ShareableList set(), int, lock: true',
    contenders: {
      shmkit: node('structures/elements', 'locked-list', 'set', 1_000_000),
      CPython: python('list-set', 200_000),
    },
    goals: [told('CPython')],
  },
];
