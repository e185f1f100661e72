import { c, ems, node, python } from '../contenders';
import { aheadOf, atMostTimes, told } from '../goals';
import type { Row } from './row';

/** Values and arrays that no other process touches. */
export const valueRows: Row[] = [
  {
    id: 'add-int32',
    title: 'SharedValue add(), int32; C: a locked add',
    contenders: {
      shmkit: node('memory/values', 'add', 'int32', 10_000_000),
      C: c('add-int32', 50_000_000),
      CPython: python('add-int32', 200_000),
      ems: ems('add-int', 1_000_000),
    },
    goals: [atMostTimes(3, 'C'), aheadOf('CPython'), aheadOf('ems')],
  },
  {
    id: 'add-int64',
    title: 'SharedValue add(), int64; C: a locked add',
    contenders: {
      shmkit: node('memory/values', 'add', 'int64', 3_000_000),
      C: c('add-int64', 50_000_000),
      CPython: python('add-int64', 200_000),
    },
    goals: [atMostTimes(3, 'C'), aheadOf('CPython')],
  },
  {
    id: 'add-float64',
    title: 'SharedValue add(), float64; C: compare and exchange',
    contenders: {
      shmkit: node('memory/values', 'add', 'float64', 3_000_000),
      C: c('add-float64', 50_000_000),
      CPython: python('add-float64', 200_000),
      ems: ems('add-float', 1_000_000),
    },
    goals: [atMostTimes(3, 'C'), aheadOf('CPython'), aheadOf('ems')],
  },
  {
    id: 'update',
    title: 'SharedValue update(), int32; C: lock, add 1, unlock',
    contenders: {
      shmkit: node('memory/values', 'update', 'int32', 1_000_000),
      C: c('locked-add', 5_000_000),
      CPython: python('add-int32', 200_000),
    },
    goals: [told('C'), told('CPython')],
  },
  {
    id: 'value-read',
    title: 'SharedValue value, read, int32',
    contenders: {
      shmkit: node('memory/values', 'read', 'int32', 20_000_000),
      C: c('value-read', 100_000_000),
      CPython: python('value-read', 1_000_000),
      'CPython, lock=False': python('value-read-unlocked', 2_000_000),
    },
    goals: [told('C'), told('CPython'), told('CPython, lock=False')],
  },
  {
    id: 'value-write',
    title: 'SharedValue value, written, int32',
    contenders: {
      shmkit: node('memory/values', 'write', 'int32', 20_000_000),
      C: c('value-write', 50_000_000),
      CPython: python('value-write', 1_000_000),
      'CPython, lock=False': python('value-write-unlocked', 2_000_000),
    },
    goals: [told('C'), told('CPython'), told('CPython, lock=False')],
  },
  {
    id: 'array-at',
    title: 'SharedArray at(), float64',
    contenders: {
      shmkit: node('structures/elements', 'array', 'at', 10_000_000),
      C: c('array-at', 100_000_000),
      CPython: python('array-at', 500_000),
      'CPython, lock=False': python('array-at-unlocked', 2_000_000),
      ems: ems('at', 1_000_000),
    },
    goals: [told('C'), told('CPython'), told('CPython, lock=False'), told('ems')],
  },
  {
    id: 'array-set',
    title: 'SharedArray set() of an element, float64',
    contenders: {
      shmkit: node('structures/elements', 'array', 'set', 10_000_000),
      C: c('array-set', 50_000_000),
      CPython: python('array-set', 500_000),
      'CPython, lock=False': python('array-set-unlocked', 2_000_000),
      ems: ems('set', 1_000_000),
    },
    goals: [told('C'), told('CPython'), told('CPython, lock=False'), told('ems')],
  },
];
