// What lib/contract promises, with each engine, between this process and each kind of place. Every verb is used
// under `await`, here and there.
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { engines, Place, places } from '../support/places';
import { describeArray } from './array';
import { describeBarrier } from './barrier';
import { describeCondition } from './condition';
import { describeDict } from './dict';
import { describeEvent } from './event';
import { describeList } from './list';
import { describeLock } from './lock';
import { describeManager } from './manager';
import { describeNamespace } from './namespace';
import { describeQueue } from './queue';
import { describeRLock } from './rlock';
import { describeRWLock } from './rw-lock';
import { describeSemaphore } from './semaphore';
import { describeValue } from './value';

const everywhere = engines.flatMap((engine) => places.map((kind) => ({ engine, kind })));

describe.each(everywhere)('by $engine, shared with $kind:', ({ engine, kind }) => {
  const place = new Place(engine, kind);
  beforeAll(() => place.start());
  afterEach(() => place.clear());
  afterAll(() => place.end());

  describeDict(place);
  describeList(place);
  describeQueue(place);
  describeNamespace(place);

  describeEvent(place);
  describeCondition(place);
  describeBarrier(place);
  describeValue(place);
  describeArray(place);
  describeManager(place);
  describeLock(place);
  describeRLock(place);
  describeRWLock(place);
  describeSemaphore(place);
});
