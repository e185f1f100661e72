// The contract of each structure, between this process and each kind of place. Every verb is used under
// `await`, here and there. So an implementation that provides the same verbs by promises can be tested by
// the same suites.
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { Place, places } from '../support/places';
import { describeDict } from './dict';
import { describeList } from './list';
import { describeNamespace } from './namespace';
import { describeQueue } from './queue';

describe.each(places)('shared with %s:', (kind) => {
  const place = new Place(kind);
  beforeAll(() => place.start());
  afterEach(() => place.clear());
  afterAll(() => place.end());

  describeDict(place);
  describeList(place);
  describeQueue(place);
  describeNamespace(place);
});
