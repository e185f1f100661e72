import { node, type Contender } from '../contenders';
import { atMostMore } from '../goals';
import { emptyModule } from '../peers';
import type { Row } from './row';

function load(module: string, exported = ''): Contender {
  return { ...node('memory/load', module, exported), processes: 3 };
}

export const loadingRows: Row[] = [
  {
    id: 'load',
    title: "require('shmkit').NamedLock",
    contenders: { shmkit: load('shmkit', 'NamedLock'), 'empty module': load(emptyModule) },
    goals: [atMostMore(10e6, 'empty module')],
  },
  {
    id: 'load-structures',
    title: "require('shmkit').SharedDict, and so all there is",
    contenders: { shmkit: load('shmkit', 'SharedDict'), 'empty module': load(emptyModule) },
    goals: [atMostMore(10e6, 'empty module')],
  },
];
