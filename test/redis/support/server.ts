// Real servers for tests: each on a free port of loopback, with a directory of its own.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The server to test with. Another one can be named, such as Valkey's. */
const binary = process.env.SHMKIT_REDIS_SERVER ?? 'redis-server';

function versionOf(): string | undefined {
  const { stdout, status } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  return status === 0 ? /v=([\d.]+)/.exec(stdout)?.[1] : undefined;
}

const version = versionOf();

/** Why there are no tests of this engine here, if so. */
export const noServer: string | undefined =
  version === undefined
    ? `there is no ${binary} here (apt-get install redis-server)`
    : Number.parseInt(version) < 7
      ? `${binary} is version ${version}, and 7.0 is needed`
      : undefined;

/** For titles, so that a skipped part says why. */
export const onServer = noServer === undefined ? `on ${binary} ${version}` : `skipped: ${noServer}`;

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

export class RedisServer implements AsyncDisposable {
  readonly #arguments: readonly string[];
  readonly #directory: string;
  #child!: ChildProcess;

  private constructor(
    readonly port: number,
    settings: readonly string[],
  ) {
    this.#directory = mkdtempSync(path.join(tmpdir(), 'shmkit-redis-'));
    this.#arguments = [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', this.#directory],
      ...['--save', '', ...settings],
    ];
  }

  /** @param settings - of its configuration: `['--appendonly', 'yes']`. */
  static async start(settings: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings);
    await server.#launch();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async #launch(): Promise<void> {
    const child = spawn(binary, this.#arguments, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    let log = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (data: Buffer) => {
        log = (log + data.toString()).slice(-10_000);
        if (log.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`${binary} has ended:\n${log}`)));
    });
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exit;
  }

  /** Starts it again after it was killed. It reads what it has on disk. */
  restart(): Promise<void> {
    return this.#launch();
  }

  /** It does nothing until it is continued. Its connections stay. */
  stop(): void {
    this.#child.kill('SIGSTOP');
  }

  goOn(): void {
    this.#child.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
