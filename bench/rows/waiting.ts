import { c, node, python, type Contender } from '../contenders';
import { atMostTimes, told, within, type Goal } from '../goals';
import type { Row } from './row';

const trips = 50_000;
const rounds = 5000;

/** Two rows: in one, both processes block while they wait; in the other, both await. */
function pingPong(what: string, peer: Contender): Row[] {
  const row = (way: string, how: string, goal: Goal): Row => ({
    id: `ping-${way}`,
    title: `${what} ping-pong, ${how}; C: futex`,
    contenders: {
      shmkit: node('sync/ping-pong', way, trips),
      C: c('ping-pong', trips),
      CPython: peer,
    },
    goals: [goal, told('CPython')],
  });
  return [row(what, 'sync', atMostTimes(2, 'C')), row(`${what}-async`, 'async', told('C'))];
}

function barrier(id: string, way: string): Row {
  return {
    id,
    title: `barrier of 4 processes, a round, ${way}()`,
    contenders: {
      shmkit: node('sync/barrier', way, rounds),
      C: c('barrier', rounds),
      CPython: python('barrier', 1000),
    },
    goals: [told('C'), told('CPython')],
  };
}

/** Processes that wait for each other. */
export const waitingRows: Row[] = [
  ...pingPong('event', python('event', 3000)),
  ...pingPong('semaphore', python('semaphore-trip', trips)),
  ...pingPong('condition', python('condition', 5000)),
  barrier('barrier', 'waitSync'),
  barrier('barrier-async', 'wait'),
  {
    id: 'idle-waits',
    title: '500 idle waits, processor time in a second',
    contenders: { shmkit: node('sync/idle-waits', 500, 10) },
    goals: [within(10_000_000)],
  },
  {
    id: 'rare-news',
    title: 'a wait of 2 ms, processor time of the waiter',
    contenders: { shmkit: node('sync/rare-news', 500, 2) },
    goals: [],
  },
];
