// The program of workerpool's workers.
import { shared } from 'shmkit';
import workerpool from 'workerpool';
import { sum } from './sum';

workerpool.worker({ sum, sharedSum: shared(sum) });
