import { c, node } from '../contenders';
import { timesAsFastAs, told } from '../goals';
import type { Row } from './row';

const passes = 10;

/**
 * Writes 64 MiB through typed arrays. The same calls on ordinary memory of Node are measured for
 * comparison.
 */
export const fillingRows: Row[] = [
  {
    id: 'fill-bytes',
    title: 'Uint8Array fill(), 64 MiB; C: memset',
    contenders: {
      shmkit: node('memory/filling', 'fill-bytes', 'shared', passes),
      C: c('fill-bytes', passes),
      'ordinary memory': node('memory/filling', 'fill-bytes', 'ordinary', passes),
    },
    goals: [timesAsFastAs(0.9, 'C'), told('ordinary memory')],
  },
  {
    id: 'fill-doubles',
    title: 'Float64Array fill(), 64 MiB; C: a loop',
    contenders: {
      shmkit: node('memory/filling', 'fill-doubles', 'shared', passes),
      C: c('fill-doubles', passes),
      'ordinary memory': node('memory/filling', 'fill-doubles', 'ordinary', passes),
    },
    goals: [timesAsFastAs(0.9, 'C'), told('ordinary memory')],
  },
  {
    id: 'copy-typed',
    title: 'set() from a Float64Array, 64 MiB; C: memcpy',
    contenders: {
      shmkit: node('memory/filling', 'copy-typed', 'shared', passes),
      C: c('copy', passes),
      'ordinary memory': node('memory/filling', 'copy-typed', 'ordinary', passes),
    },
    goals: [timesAsFastAs(0.9, 'C'), told('ordinary memory')],
  },
  {
    id: 'copy-array',
    title: 'set() from an Array of numbers, 64 MiB',
    contenders: {
      shmkit: node('memory/filling', 'copy-array', 'shared', passes),
      C: c('copy', passes),
      'ordinary memory': node('memory/filling', 'copy-array', 'ordinary', passes),
    },
    goals: [told('C'), told('ordinary memory')],
  },
];
