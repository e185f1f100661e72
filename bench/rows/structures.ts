import { c, lmdb, node, python, type Contender, type Contenders } from '../contenders';
import { atMostTimes, timesAsFastAs, told, type Goal } from '../goals';
import type { Row } from './row';

const hot = 1000;
const many = 500_000;

function dict(
  id: string,
  title: string,
  [way, type, keys]: [way: string, type: string, keys: number],
  counts: Partial<Record<'shmkit' | 'Map' | 'lmdb' | 'CPython' | 'msgpackr', number>>,
  goals: readonly Goal[],
): Row {
  const at = (store: string, count: number): Contender =>
    node('dict', way, type, store, keys, count);
  const contenders: Contenders = {
    shmkit: at('shmkit', counts.shmkit ?? 1_000_000),
    Map: at('Map', counts.Map ?? 10_000_000),
    ...(counts.msgpackr !== undefined && { msgpackr: at('codec', counts.msgpackr) }),
    ...(counts.lmdb !== undefined && { lmdb: lmdb(way, type, keys, counts.lmdb) }),
    ...(counts.CPython !== undefined && { CPython: python(`dict-${way}`, counts.CPython) }),
  };
  return { id, title, contenders, goals };
}

/** Structures that nobody else touches, and messages between two processes. */
export const structureRows: Row[] = [
  dict(
    'dict-get',
    'SharedDict get(), number, 1000 keys',
    ['get', 'number', hot],
    { shmkit: 3_000_000, lmdb: 500_000, CPython: 5000 },
    [timesAsFastAs(3, 'lmdb'), timesAsFastAs(200, 'CPython'), told('Map')],
  ),
  dict(
    'dict-get-many',
    'SharedDict get(), number, 500,000 keys',
    ['get', 'number', many],
    { Map: 2_000_000, lmdb: 500_000 },
    [timesAsFastAs(3, 'lmdb'), told('Map')],
  ),
  dict(
    'dict-set',
    'SharedDict set(), number, 1000 keys',
    ['set', 'number', hot],
    { lmdb: 20_000, CPython: 5000 },
    [timesAsFastAs(20, 'lmdb'), timesAsFastAs(150, 'CPython'), told('Map')],
  ),
  dict(
    'dict-get-object',
    'SharedDict get(), an object of 5 fields, 1000 keys',
    ['get', 'object', hot],
    { shmkit: 500_000, lmdb: 300_000, msgpackr: 1_000_000 },
    [told('msgpackr'), told('lmdb')],
  ),
  dict(
    'dict-set-object',
    'SharedDict set(), an object of 5 fields, 1000 keys',
    ['set', 'object', hot],
    { shmkit: 300_000, lmdb: 20_000, msgpackr: 1_000_000 },
    [told('msgpackr'), told('lmdb')],
  ),
  {
    id: 'shared-list-at',
    title: 'SharedList at(), number',
    contenders: {
      shmkit: node('shared-list', 'at', 5_000_000),
      CPython: python('manager-list-get', 5000),
    },
    goals: [told('CPython')],
  },
  {
    id: 'shared-list-push',
    title: 'SharedList push(), number',
    contenders: {
      shmkit: node('shared-list', 'push', 1_000_000),
      CPython: python('manager-list-append', 5000),
    },
    goals: [told('CPython')],
  },
  {
    id: 'queue',
    title: 'SharedQueue, a text of 64 bytes, one way',
    contenders: {
      shmkit: node('queue', 'one-way', 64, 300_000),
      CPython: python('queue-small', 50_000),
    },
    goals: [timesAsFastAs(10, 'CPython')],
  },
  {
    id: 'queue-large',
    title: 'SharedQueue, 1 MiB, one way',
    contenders: {
      shmkit: node('queue', 'one-way', 2 ** 20, 2000),
      CPython: python('queue-large', 300),
    },
    goals: [timesAsFastAs(5, 'CPython')],
  },
  {
    id: 'queue-trip',
    title: 'SharedQueue, a round trip, sync; C: futex',
    contenders: {
      shmkit: node('queue', 'trip', 8, 10_000),
      C: c('ping-pong', 10_000),
      CPython: python('queue-trip', 5000),
    },
    goals: [atMostTimes(2, 'C'), told('CPython')],
  },
  {
    id: 'queue-trip-async',
    title: 'SharedQueue, a round trip, async; C: futex',
    contenders: {
      shmkit: node('queue', 'trip-async', 8, 10_000),
      C: c('ping-pong', 10_000),
    },
    goals: [atMostTimes(5, 'C')],
  },
];
