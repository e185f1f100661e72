/**
 * Four workers of a cluster serve one page. They share a cache, so that the page is rendered only once.
 * They also share a rate limit: each client may make a fixed number of requests per minute. The limit is
 * exact, whichever workers handle the requests.
 *
 *     node -r ts-node/register examples/rate-limit.ts
 */
import autocannon from 'autocannon';
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Manager } from 'shmkit';

const workers = 4;
const limit = 100;
const requests = 1000;

function serve(): void {
  const manager = Manager.fromEnv();
  const pages = manager.dict<string>('pages', { eviction: 'lru' });
  const used = manager.dict<number>('used');
  const rendered = manager.value('rendered', { type: 'int32' });
  const server = createServer((request, response) => {
    void answer(request.socket.remoteAddress ?? '', request.url ?? '/').then(([status, text]) => {
      response.writeHead(status).end(text);
    });
  });
  async function answer(client: string, url: string): Promise<[number, string]> {
    // The minute begins with the client's first request. When it is over, the entry is removed.
    if (used.add(client, 1, { ttl: 60_000 }) >= limit) return [429, 'too many'];
    const page = await pages.getOrSet(url, async () => {
      await delay(50); // stands for a template, or a database query
      rendered.add(1);
      return `<h1>${url}</h1>`;
    });
    return [200, page];
  }
  server.listen(0, '127.0.0.1');
}

async function main(): Promise<void> {
  using manager = Manager.create();
  using rendered = manager.value('rendered', { type: 'int32' });
  const crew: Worker[] = [];
  try {
    for (let i = 0; i < workers; i++) crew.push(cluster.fork(manager.env()));
    const failure = Promise.race(crew.map(failed));
    const listening = Promise.all(crew.map((worker) => once(worker, 'listening')));
    const [first] = (await Promise.race([listening, failure])) as [AddressInfo][];
    const url = `http://127.0.0.1:${first![0].port}/home`;
    const load = autocannon({ url, amount: requests, connections: 20 });
    const result = await Promise.race([load, failure]);
    console.log(`${requests} requests: ${result['2xx']} served, ${result['4xx']} refused`);
    console.log(`rendered ${rendered.value} time`);
  } finally {
    for (const worker of crew) worker.process.kill('SIGKILL');
  }
}

async function failed({ process }: Worker): Promise<never> {
  const [code, signal] = (await once(process, 'exit')) as [number | null, string | null];
  throw new Error(`process ${process.pid} ended by ${signal ?? `code ${code}`}`);
}

if (cluster.isPrimary) void main();
else serve();
