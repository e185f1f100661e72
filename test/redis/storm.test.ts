// Programs that fight for a lock through a connection that is cut at random, and that are killed at random. What each of
// them has had is checked afterwards: holds do not overlap, fences grow, and no write of an older holder was accepted.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Note } from '../fixtures/redis/fighter';
import { start, type Child } from '../support/children';
import { uniqueName } from '../support/names';
import { Proxy } from './support/proxy';
import { RedisServer, noServer, onServer } from './support/server';
import { openSession, redis } from './support/sessions';

const lease = 1000;
const fighters = 4;
const kills = 12;
/** How many rounds all of them make between two kills. */
const roundsBetween = 20;

interface Hold {
  readonly pid: number;
  readonly fence: number;
  readonly fromNs: bigint;
  /** Undefined for one who was killed, or who knows that the lease was lost. */
  untilNs: bigint | undefined;
}

function check(notes: readonly Note[]): { holds: number; wrote: number } {
  const holds = new Map<number, Hold>();
  let wrote = 0;
  for (const { is, pid, fence, atNs, before } of notes) {
    if (is === 'in') {
      expect(holds.has(fence), `fence ${fence} was given once`).toBe(false);
      holds.set(fence, { pid, fence, fromNs: BigInt(atNs), untilNs: undefined });
    }
    if (is === 'out') holds.get(fence)!.untilNs = BigInt(atNs);
    if (is === 'wrote') {
      wrote++;
      // A holder that is not told that it is too late finds only what earlier ones have written, or what it has
      // written itself where an answer was lost.
      if (before !== undefined) expect(before).toBeLessThanOrEqual(fence);
    }
  }
  const inOrder = [...holds.values()].sort((a, b) => a.fence - b.fence);
  for (const [i, hold] of inOrder.entries()) {
    const next = inOrder[i + 1];
    if (next === undefined) break;
    expect(next.fromNs, 'fences grow in the order of grants').toBeGreaterThan(hold.fromNs);
    if (hold.untilNs !== undefined) {
      expect(next.fromNs, `${next.pid} is in after ${hold.pid} is out`).toBeGreaterThan(
        hold.untilNs,
      );
    }
  }
  return { holds: holds.size, wrote };
}

describe.skipIf(noServer !== undefined)(`a storm ${onServer}`, () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('of kills and cuts lets two in at no time, and all get on', async () => {
    await using proxy = await Proxy.start(server);
    const directory = mkdtempSync(path.join(tmpdir(), 'shmkit-storm-'));
    const file = path.join(directory, 'notes');
    const name = uniqueName();
    const session = await openSession(server.url, { lease });
    const lock = await redis.NamedLock.create(session, { name });
    const dict = await redis.SharedDict.create<number>(session, { name });
    const enlist = () => start('redis/fighter', [proxy.url, name, file, lease]);
    const crew: Child[] = Array.from({ length: fighters }, enlist);
    /** A round of a fighter. */
    const round = async (child: Child) => {
      const said = await child.hear();
      if (typeof said !== 'number') throw new Error(JSON.stringify(said));
    };
    const cutting = new AbortController();
    const cut = (async () => {
      while (!cutting.signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 300 * Math.random()));
        proxy.cut();
      }
    })();
    try {
      for (let kill = 0; kill < kills; kill++) {
        // Each of them gets on, also one that has just begun.
        await Promise.all(crew.map(round));
        for (let i = 0; i < roundsBetween; i++) await round(crew[i % fighters]!);
        const victim = Math.floor(Math.random() * fighters);
        await crew[victim]!.kill();
        crew[victim] = enlist();
      }
      await Promise.all(crew.map(round));
    } finally {
      cutting.abort();
      await cut;
      await Promise.all(crew.map((child) => child.kill()));
    }
    const guard = await lock.acquire();
    const notes = readFileSync(file, 'utf8').trim().split('\n');
    const { holds, wrote } = check(notes.map((line) => JSON.parse(line) as Note));
    expect(holds).toBeGreaterThan(kills * roundsBetween);
    expect(wrote).toBeGreaterThan(0);
    expect(await dict.get('last')).toBeLessThan(guard.fence);
    await dict.set('last', guard.fence, { fence: guard });
    await guard.release();
    await lock.unlink();
    await dict.unlink();
    rmSync(directory, { recursive: true });
  });
});
