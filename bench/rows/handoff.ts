import { node, numpy, type Contenders } from '../contenders';
import { told } from '../goals';
import type { Row } from './row';

/** The ways that a large value can take, and up to how many bytes they are measured. */
function contendersFor(bytes: number, count: number): Contenders {
  const way = (name: string) => node('handoff/handoff', name, bytes, count);
  const small = bytes <= 1 << 20 ? { 'child.send, JSON': way('json') } : {};
  return {
    shmkit: way('object'),
    'shmkit, sealed': way('sealed'),
    'shmkit, again': way('again'),
    'shmkit, sharing': way('sharing'),
    'child.send': way('sent'),
    ...small,
    workerpool: way('workerpool'),
    'jest-worker': way('jest-worker'),
    postMessage: way('posted'),
    'postMessage, transfer': way('transferred'),
    SharedArrayBuffer: way('shared'),
    file: way('file'),
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

/** A new array goes to one worker, which sums it up. Ratios of one run; docs/performance.md explains them. */
export const handoffRows: Row[] = sizes.map(([title, bytes, count]) => ({
  id: `handoff-${bytes}`,
  title: `a new array of ${title} is made and filled, and a worker sums it up`,
  contenders: contendersFor(bytes, count),
  goals: [told('child.send')],
}));
