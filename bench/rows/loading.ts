import { node, type Contender } from '../contenders';
import { atMostMore } from '../goals';
import { emptyModule } from '../peers';
import type { Row } from './row';

function load(module: string): Contender {
  return { ...node('load', module), processes: 3 };
}

export const loadingRows: Row[] = [
  {
    id: 'load',
    title: "require('shmkit')",
    contenders: { shmkit: load('shmkit'), 'empty module': load(emptyModule) },
    goals: [atMostMore(10e6, 'empty module')],
  },
];
