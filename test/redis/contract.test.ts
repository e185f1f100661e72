// What lib/contract promises, with the engine over a server, between this process and each kind of place.
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { engines, serverVariable } from '../fixtures/places/engines';
import { Place, places } from '../support/places';
import { describeDict } from '../suites/dict';
import { describeEvent } from '../suites/event';
import { describeLock } from '../suites/lock';
import { describeRLock } from '../suites/rlock';
import { describeRWLock } from '../suites/rw-lock';
import { describeSemaphore } from '../suites/semaphore';
import { describeValue } from '../suites/value';
import { RedisServer, noServer, onServer } from './support/server';

describe.skipIf(noServer !== undefined)(`the contract ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
    process.env[serverVariable] = server.url;
  });
  afterAll(async () => {
    await engines.redis.end();
    await server[Symbol.asyncDispose]();
  });

  describe.each(places)('shared with %s:', (kind) => {
    const place = new Place('redis', kind);
    beforeAll(() => place.start());
    afterEach(() => place.clear());
    afterAll(() => place.end());

    describeLock(place);
    describeRLock(place);
    describeRWLock(place);
    describeEvent(place);
    describeValue(place);
    describeSemaphore(place);
    describeDict(place);
  });
});
