import {
  c,
  lmdbBeside,
  node,
  numpy,
  python,
  store,
  type Contender,
  type Contenders,
} from '../contenders';
import { aheadOf, atMostTimes, timesAsFastAs, told, type Goal } from '../goals';
import type { Row } from './row';

const hot = 1000;
const many = 500_000;

type Rival = 'shmkit' | 'Map' | 'lmdb' | 'ems' | 'redis' | 'CPython' | 'msgpackr';

function dict(
  id: string,
  title: string,
  [way, type, keys]: [way: string, type: string, keys: number],
  counts: Partial<Record<Rival, number>>,
  goals: readonly Goal[],
  others: Contenders = {},
): Row {
  const at = (name: string, count: number): Contender =>
    node('structures/dict', way, type, name, keys, count);
  const beside = (['lmdb', 'ems', 'redis'] as const).flatMap((tool) => {
    const count = counts[tool];
    return count === undefined ? [] : [[tool, store(tool, way, type, keys, count)] as const];
  });
  const contenders: Contenders = {
    shmkit: at('shmkit', counts.shmkit ?? 1_000_000),
    Map: at('Map', counts.Map ?? 10_000_000),
    ...(counts.msgpackr !== undefined && { msgpackr: at('codec', counts.msgpackr) }),
    ...Object.fromEntries(beside),
    ...(counts.CPython !== undefined && { CPython: python(`dict-${way}`, counts.CPython) }),
    ...others,
  };
  return { id, title, contenders, goals };
}

/** A row with more and more entries, compared with the same row with a thousand. */
function growth(way: 'get' | 'set', keys: number, counts: Partial<Record<Rival, number>>): Row {
  const name = keys.toLocaleString('en');
  return dict(
    `dict-${way}-${keys}`,
    `SharedDict ${way}(), number, ${name} keys`,
    [way, 'number', keys],
    { shmkit: 1_000_000, Map: 1_000_000, ...counts },
    [atMostTimes(4, 'shmkit, 1000 keys'), told('Map')],
    { 'shmkit, 1000 keys': node('structures/dict', way, 'number', 'shmkit', hot, 3_000_000) },
  );
}

/** A large array in a dict, in an object of its own. */
function large(way: 'get' | 'set', mebibytes: number, count: number): Row {
  const at = (where: string) => node('structures/large', way, where, mebibytes << 20, count);
  return {
    id: `dict-${way}-${mebibytes}-mib`,
    title: `SharedDict ${way === 'get' ? 'get() and sum' : 'set()'}, array of ${mebibytes} MiB, stored apart`,
    contenders: {
      shmkit: at('apart'),
      'shmkit, in the dict': at('within'),
      CPython: numpy(`dict-${way}-${mebibytes}`, Math.ceil(count / 10)),
    },
    goals: [aheadOf('CPython'), told('shmkit, in the dict')],
  };
}

/** Structures that no other process touches, and messages between two processes. */
export const structureRows: Row[] = [
  dict(
    'dict-get',
    'SharedDict get(), number, 1000 keys',
    ['get', 'number', hot],
    { shmkit: 3_000_000, lmdb: 500_000, ems: 1_000_000, redis: 20_000, CPython: 5000 },
    [timesAsFastAs(3, 'lmdb'), aheadOf('ems'), timesAsFastAs(200, 'CPython'), told('Map')],
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
    { lmdb: 20_000, ems: 1_000_000, redis: 20_000, CPython: 5000 },
    [timesAsFastAs(20, 'lmdb'), aheadOf('ems'), timesAsFastAs(150, 'CPython'), told('Map')],
  ),
  dict(
    'dict-get-text',
    'SharedDict get(), a text of 20 characters, 1000 keys',
    ['get', 'text', hot],
    { lmdb: 500_000, ems: 500_000 },
    [told('lmdb'), told('ems')],
  ),
  dict(
    'dict-set-text',
    'SharedDict set(), a text of 20 characters, 1000 keys',
    ['set', 'text', hot],
    { lmdb: 20_000 },
    [told('lmdb')],
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
  growth('get', 10_000, { shmkit: 3_000_000 }),
  growth('get', 100_000, {}),
  growth('get', 1_000_000, {}),
  growth('get', 10_000_000, {}),
  growth('set', 1_000_000, {}),
  growth('set', 10_000_000, {}),
  {
    id: 'dict-get-written',
    title: 'SharedDict get(), number, 1000 keys, while another process sets them',
    contenders: {
      shmkit: node('structures/dict-beside', 'shmkit', hot, 3_000_000, 'written'),
      'shmkit, no writer': node('structures/dict-beside', 'shmkit', hot, 3_000_000, 'idle'),
      lmdb: lmdbBeside(hot, 500_000),
    },
    goals: [told('shmkit, no writer'), timesAsFastAs(3, 'lmdb')],
  },
  {
    id: 'shared-list-at',
    title: 'SharedList at(), number',
    contenders: {
      shmkit: node('structures/shared-list', 'at', 5_000_000),
      CPython: python('manager-list-get', 5000),
    },
    goals: [told('CPython')],
  },
  {
    id: 'shared-list-push',
    title: 'SharedList push(), number',
    contenders: {
      shmkit: node('structures/shared-list', 'push', 1_000_000),
      CPython: python('manager-list-append', 5000),
    },
    goals: [told('CPython')],
  },
  {
    id: 'queue',
    title: 'SharedQueue, a text of 64 bytes, one way',
    contenders: {
      shmkit: node('structures/queue', 'one-way', 64, 300_000),
      'child.send': node('structures/messages', 'one-way', 64, 50_000),
      CPython: python('queue-small', 50_000),
    },
    goals: [timesAsFastAs(10, 'CPython'), told('child.send')],
  },
  {
    id: 'queue-large',
    title: 'SharedQueue, 1 MiB, one way',
    contenders: {
      shmkit: node('structures/queue', 'one-way', 2 ** 20, 2000),
      'child.send': node('structures/messages', 'one-way', 2 ** 20, 300),
      CPython: python('queue-large', 300),
    },
    goals: [timesAsFastAs(5, 'CPython'), told('child.send')],
  },
  {
    id: 'queue-async',
    title: 'SharedQueue, a text of 64 bytes, one way, async',
    contenders: {
      shmkit: node('structures/queue', 'one-way-async', 64, 100_000),
      'child.send': node('structures/messages', 'one-way', 64, 50_000),
    },
    goals: [told('child.send')],
  },
  {
    id: 'queue-many',
    title: 'SharedQueue, a text of 64 bytes, one way, 50 at once',
    contenders: {
      shmkit: node('structures/queue', 'one-way-many', 64, 300_000),
      'child.send': node('structures/messages', 'one-way', 64, 50_000),
      CPython: python('queue-small', 50_000),
    },
    goals: [timesAsFastAs(25, 'CPython'), told('child.send')],
  },
  {
    id: 'queue-trip',
    title: 'SharedQueue, a round trip, sync; C: futex',
    contenders: {
      shmkit: node('structures/queue', 'trip', 64, 50_000),
      C: c('ping-pong', 10_000),
      CPython: python('queue-trip', 5000),
    },
    goals: [atMostTimes(2, 'C'), told('CPython')],
  },
  {
    id: 'queue-trip-async',
    title: 'SharedQueue, a round trip, async; C: futex',
    contenders: {
      shmkit: node('structures/queue', 'trip-async', 64, 50_000),
      C: c('ping-pong', 10_000),
      'child.send': node('structures/messages', 'trip', 64, 50_000),
    },
    goals: [atMostTimes(5, 'C'), told('child.send')],
  },
  ...(['one-way-async', 'trip', 'trip-async'] as const).map((way): Row => {
    const back = way === 'one-way-async' ? 'one-way' : 'trip';
    return {
      id: `queue-large-${way}`,
      title: `SharedQueue, 1 MiB, ${way}`,
      contenders: {
        shmkit: node('structures/queue', way, 2 ** 20, 1000),
        'child.send': node('structures/messages', back, 2 ** 20, 300),
      },
      goals: [told('child.send')],
    };
  }),
  large('set', 1, 200),
  large('get', 1, 200),
  large('set', 64, 10),
  large('get', 64, 10),
];
