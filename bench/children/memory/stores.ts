// The stores that dict.ts and dict-beside.ts measure, behind one interface.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Packr } from 'msgpackr';
import { SharedDict } from 'shmkit';
import { initializeEms } from '../peers/ems-domain';
import { nameOf } from '../support';

export interface Store {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
  /** `forAll`: ends the store for the other processes, too. */
  end(forAll?: boolean): void;
}

/** The part of lmdb that is used here. */
interface Lmdb {
  open: (options: object) => {
    get(key: string): unknown;
    putSync(key: string, value: unknown): boolean;
    close(): Promise<void>;
  };
}

/** Only packs and unpacks values. */
export function codec(): Store {
  const packr = new Packr({ structuredClone: true, moreTypes: true });
  const packed = new Map<string, Uint8Array>();
  return {
    get: (key) => packr.unpack(packed.get(key)!) as unknown,
    set: (key, value) => packed.set(key, packr.pack(value)),
    end: () => undefined,
  };
}

export function native(): Store {
  const map = new Map<string, unknown>();
  return {
    get: (key) => map.get(key),
    set: (key, value) => map.set(key, value),
    end: () => undefined,
  };
}

/** The directory of a store that other processes open too. */
export function lmdbDirectory(): string {
  return mkdtempSync(path.join(tmpdir(), nameOf('lmdb')));
}

export function lmdb(packages: string, directory: string): Store {
  const { open } = createRequire(path.join(packages, 'package.json'))('lmdb') as Lmdb;
  const database = open({ path: directory, noSync: true });
  return {
    get: (key) => database.get(key),
    set: (key, value) => database.putSync(key, value),
    end: (forAll = true) =>
      void database.close().then(() => {
        if (forAll) rmSync(directory, { recursive: true });
      }),
  };
}

export function shared(keys: number): Store {
  const capacity = Math.max(2 ** 26, keys * 160);
  const dict = SharedDict.open(nameOf('dict'), { capacity });
  return {
    get: (key) => dict.get(key),
    set: (key, value) => dict.set(key, value),
    end(forAll = true) {
      if (forAll) dict.unlink();
      dict.close();
    },
  };
}

/** A map of ems, which finds elements by the hash of a key. */
export function ems(packages: string, keys: number): Store {
  const map = initializeEms(packages, {
    dimensions: [keys * 2],
    heapSize: keys * 64,
    useMap: true,
    doDataFill: false,
    setFEtags: 'full',
  });
  return {
    get: (key) => map.read(key),
    set: (key, value) => map.write(key, value),
    end: () => undefined,
  };
}

/** The part of the npm package redis that is used here. */
export interface RedisClient {
  connect(): Promise<unknown>;
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  destroy(): void;
}

/** Starts a separate server on loopback, which writes nothing to disk, and a client. */
export async function redis(packages: string): Promise<{ client: RedisClient; end: () => void }> {
  const { createClient } = createRequire(path.join(packages, 'package.json'))('redis') as {
    createClient: (options: object) => RedisClient;
  };
  const port = 20_000 + (process.pid % 40_000);
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('exit', () => reject(new Error('redis-server ended')));
    let said = '';
    server.stdout.on('data', (text) => {
      said += String(text);
      if (said.includes('Ready to accept connections')) resolve();
    });
  });
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  await client.connect();
  return {
    client,
    end() {
      client.destroy();
      server.removeAllListeners('exit');
      server.kill();
    },
  };
}
