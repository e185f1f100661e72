import { node, numpy, type Contenders } from '../contenders';
import { told } from '../goals';
import type { Row } from './row';

const way = (name: string, what: string | number, count: number, workers = 1) =>
  node('handoff/handoff', name, what, count, workers);

/** The ways that a large array can take, and up to how many bytes they are measured. */
function waysOf(bytes: number, count: number): Contenders {
  const to = (name: string) => way(name, bytes, count);
  const small = bytes <= 1 << 20 ? { 'child.send, JSON': to('json') } : {};
  return {
    shmkit: to('object'),
    'shmkit, sealed': to('sealed'),
    'shmkit, again': to('again'),
    'shmkit, sharing': to('sharing'),
    'child.send': to('sent'),
    ...small,
    workerpool: to('workerpool'),
    'jest-worker': to('jest-worker'),
    postMessage: to('posted'),
    'postMessage, transfer': to('transferred'),
    SharedArrayBuffer: to('shared'),
    file: to('file'),
    'CPython, Pool': numpy(`handoff-pool-${bytes}`, count),
    'CPython, SharedMemory': numpy(`handoff-shared-${bytes}`, count),
  };
}

const sizes = [
  ['1 KiB', 1 << 10, 1000],
  ['64 KiB', 1 << 16, 500],
  ['1 MiB', 1 << 20, 100],
  ['64 MiB', 1 << 26, 6],
  ['512 MiB', 1 << 29, 2],
] as const;

const records = '100000 records';
const workers = 4;

/** A new value goes to workers, which sum it up. Ratios of one run; docs/performance.md explains them. */
export const handoffRows: Row[] = [
  ...sizes.map(([title, bytes, count]) => ({
    id: `handoff-${bytes}`,
    title: `a new array of ${title} is made and filled, and a worker sums it up`,
    contenders: waysOf(bytes, count),
    goals: [told('child.send')],
  })),
  {
    id: 'handoff-workers',
    title: `the same with 64 MiB and ${workers} workers, each of which sums up all of it`,
    contenders: {
      shmkit: way('object', 1 << 26, 4, workers),
      'shmkit, sealed': way('sealed', 1 << 26, 4, workers),
      'child.send': way('sent', 1 << 26, 4, workers),
      postMessage: way('posted', 1 << 26, 4, workers),
      SharedArrayBuffer: way('shared', 1 << 26, 4, workers),
    },
    goals: [told('child.send')],
  },
  {
    id: 'handoff-records',
    title: '100,000 objects of 5 fields are made, and a worker sums up one field',
    contenders: {
      shmkit: way('object', records, 5),
      'child.send': way('sent', records, 5),
      'child.send, JSON': way('json', records, 5),
      postMessage: way('posted', records, 5),
    },
    goals: [told('child.send')],
  },
];
