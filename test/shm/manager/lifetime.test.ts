// How long a manager lives that its members open, whichever members leave, in whatever way and order.
import cluster, { type Worker as Peer } from 'node:cluster';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Manager, SharedDict } from 'shmkit';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixturePath } from '../../support/children';
import { expectCode } from '../../support/errors';
import { uniqueName } from '../../support/names';
import { onWindows } from '../../support/system';

/** Whether anything of the manager exists, even if the manager is dead. */
function isThere(name: string): boolean {
  try {
    Manager.unlink(name);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOENT' });
    return false;
  }
}

const peers = new Set<Peer>();

beforeAll(() => cluster.setupPrimary({ exec: fixturePath('manager/peer'), silent: true }));

afterEach(async () => {
  await Promise.all([...peers].map((peer) => end(peer, 'SIGKILL')));
});

async function startPeer(name: string): Promise<Peer> {
  const peer = cluster.fork({ TEST_MANAGER: name });
  peers.add(peer);
  expect(await hear(peer)).toBe('ready');
  return peer;
}

/** The next message of a peer. Throws with its error output if the peer ends instead. */
async function hear(peer: Peer): Promise<unknown> {
  let complaint = '';
  peer.process.stderr!.on('data', (text) => (complaint += String(text)));
  const ended = new AbortController();
  peer.once('exit', () => ended.abort(new Error(`the peer ended: ${complaint}`)));
  try {
    const [said] = (await once(peer, 'message', { signal: ended.signal })) as unknown[];
    return said;
  } catch {
    throw ended.signal.reason;
  }
}

async function end(peer: Peer, how: string): Promise<void> {
  const ended = once(peer, 'exit');
  peers.delete(peer);
  if (how.startsWith('SIG')) peer.process.kill(how as NodeJS.Signals);
  else if (how === 'disconnect') peer.disconnect();
  else peer.send(how);
  await ended;
}

/** Increments the count, and resolves with the count that this peer reached. */
async function count(peer: Peer): Promise<number> {
  peer.send('count');
  const [counted, seen] = (await hear(peer)) as [number, number];
  // Other peers may have counted in between.
  expect(seen).toBeGreaterThanOrEqual(counted);
  return counted;
}

const signals = onWindows ? ['SIGKILL'] : ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'];
const ways = [...signals, 'disconnect', 'error', 'reject', 'exit'];

/** Which of three peers is replaced in each round: the oldest, the youngest, or the middle one. */
const orders: [string, number][] = [
  ['oldest', 0],
  ['youngest', 2],
  ['middle', 1],
];

describe('a manager that peers open', () => {
  it.each(orders)('outlives each of them when the %s leaves, by every way', async (_, which) => {
    const name = uniqueName('site');
    const crew = [await startPeer(name), await startPeer(name), await startPeer(name)];
    let counted = 0;
    for (const way of ways) {
      for (const peer of crew) expect(await count(peer)).toBe(++counted);
      const [leaving] = crew.splice(which, 1);
      // The peers that stay continue meanwhile.
      const [, ...others] = await Promise.all([end(leaving!, way), ...crew.map(count)]);
      counted += others.length;
      expect(Math.max(...others)).toBe(counted);
      crew.push(await startPeer(name));
    }
    for (const peer of crew) expect(await count(peer)).toBe(++counted);
    for (const peer of crew) await end(peer, 'exit');
    expect(isThere(name)).toBe(false);
  });

  it.each(ways)('ends with the last of them, when that one leaves by %s', async (way) => {
    const name = uniqueName('site');
    const [first, second] = [await startPeer(name), await startPeer(name)];
    await count(first);
    await end(first, 'exit');
    expect(await count(second)).toBe(2);
    await end(second, way);
    // A killed peer removes nothing, but the next one starts a new manager anyway.
    if (way !== 'SIGKILL') expect(isThere(name)).toBe(false);
    const next = await startPeer(name);
    expect(await count(next)).toBe(1);
    await end(next, 'exit');
    expect(isThere(name)).toBe(false);
  });

  it('ends with the last when the one before it was killed', async () => {
    const name = uniqueName('site');
    const [first, second] = [await startPeer(name), await startPeer(name)];
    await count(first);
    await end(first, 'SIGKILL');
    expect(await count(second)).toBe(2);
    await end(second, 'disconnect');
    expect(isThere(name)).toBe(false);
  });

  it('lives on when all leave at once but one, and ends when that leaves, too', async () => {
    const name = uniqueName('site');
    const crew = await Promise.all(Array.from({ length: 4 }, () => startPeer(name)));
    const [stays, ...others] = crew;
    await count(stays!);
    await Promise.all(others.map((peer) => end(peer, 'disconnect')));
    expect(await count(stays!)).toBe(2);
    await end(stays!, 'disconnect');
    expect(isThere(name)).toBe(false);
  });

  it('counts handles and threads, and who attaches takes part as well', async () => {
    const name = uniqueName('site');
    const first = Manager.open(name);
    const second = Manager.open(name);
    const third = Manager.attach(name);
    const seenBy = (manager: Manager) => {
      using dict = manager.dict<number>('dict');
      return dict.get('a');
    };
    const dict = first.dict<number>('dict');
    dict.set('a', 1);
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { Manager } = require(workerData.shmkit);
       const manager = Manager.open(workerData.name);
       parentPort.once('message', () => manager.close());
       parentPort.postMessage(manager.dict('dict').get('a'));`,
      { eval: true, workerData: { name, shmkit: require.resolve('shmkit') } },
    );
    expect(await once(worker, 'message')).toEqual([1]);
    first.close();
    first.close();
    second[Symbol.dispose]();
    expect(seenBy(third)).toBe(1);
    third.close();
    using again = Manager.open(name);
    expect(seenBy(again)).toBe(1);
    again.close();
    worker.postMessage('close');
    await once(worker, 'exit');
    expectCode(() => SharedDict.attach(dict.name), 'ENOENT');
    dict.close();
    expect(isThere(name)).toBe(false);
  });

  it('stays its creator’s when somebody created it', () => {
    const name = uniqueName('site');
    const owner = Manager.create({ name });
    using member = Manager.open(name);
    using dict = member.dict('dict');
    dict.set('a', 1);
    owner.shutdown();
    expectCode(() => Manager.attach(name), 'ENOENT');
  });
});
