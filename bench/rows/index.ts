import { contentionRows } from './contention';
import { fillingRows } from './filling';
import { handoffRows } from './handoff';
import { listRows } from './lists';
import { loadingRows } from './loading';
import { lockRows } from './locks';
import { objectRows } from './objects';
import { roundTripRows } from './round-trips';
import type { Row } from './row';
import { segmentRows } from './segments';
import { structureRows } from './structures';
import { valueRows } from './values';
import { waitingRows } from './waiting';

export const rows: readonly Row[] = [
  ...lockRows,
  ...contentionRows,
  ...waitingRows,
  ...valueRows,
  ...listRows,
  ...structureRows,
  ...segmentRows,
  ...fillingRows,
  ...roundTripRows,
  ...objectRows,
  ...handoffRows,
  ...loadingRows,
];
