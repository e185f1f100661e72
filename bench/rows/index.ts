import { contentionRows } from './contention';
import { fillingRows } from './filling';
import { loadingRows } from './loading';
import { lockRows } from './locks';
import { roundTripRows } from './round-trips';
import type { Row } from './row';
import { segmentRows } from './segments';

export const rows: readonly Row[] = [
  ...lockRows,
  ...contentionRows,
  ...segmentRows,
  ...fillingRows,
  ...roundTripRows,
  ...loadingRows,
];
