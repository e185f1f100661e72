// Sessions of tests, and what an administrator does to a server.
import { createClient } from '@redis/client';
import { afterEach } from 'vitest';
import * as redis from '../../../dist/redis/index.js';
import type { Script } from '../../../lib/redis/wire/script';
import type { RedisServer } from './server';

export { redis };
export type Session = redis.Session;

const opened = new Set<Session>();

afterEach(() => {
  for (const session of opened) session.close();
  opened.clear();
});

/** Opens a session, which ends with the test. */
export async function openSession(
  url: string,
  options: redis.ConnectOptions = {},
): Promise<Session> {
  const session = await redis.openSession(url, {
    lease: 2000,
    patience: 1000,
    renew: 'event-loop',
    ...options,
  });
  opened.add(session);
  return session;
}

/** Commands that go to the server directly, and not by a session. */
export async function command(server: RedisServer, ...args: string[]): Promise<unknown> {
  const client = createClient({ url: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}

/** Makes scripts known to the server, so that each request is one command. */
export async function load(server: RedisServer, scripts: readonly Script[]): Promise<void> {
  for (const { text } of scripts) await command(server, 'SCRIPT', 'LOAD', text);
}

/** The keys of an object that stay for ever. Those of one that was unlinked end by themselves. */
export async function lastingKeys(server: RedisServer, name: string): Promise<string[]> {
  const all = (await command(server, 'KEYS', `*${name}*`)) as string[];
  const lasting: string[] = [];
  for (const key of all) {
    if (Number(await command(server, 'PTTL', key)) === -1) lasting.push(key);
  }
  return lasting;
}
