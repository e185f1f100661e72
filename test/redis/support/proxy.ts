// A proxy between a client and a server, which does to their connection what networks do.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more. */
  isFrozen: boolean;
}

export class Proxy implements AsyncDisposable {
  readonly #links = new Set<Link>();
  readonly #target: number;
  #listener!: Server;
  #port!: number;
  /** Nothing passes, and nobody is told. New connections are accepted, and get no answer. */
  #isHole = false;
  #isRefusing = false;
  /** The connection is cut when a server's answer comes to a request that this matches. */
  #swallow: ((request: string) => boolean) | undefined;
  #swallowed: (() => void) | undefined;
  #delayMs = 0;
  /** How many connections were made. */
  connections = 0;

  private constructor(target: number) {
    this.#target = target;
  }

  static async start(target: { readonly port: number }): Promise<Proxy> {
    const proxy = new Proxy(target.port);
    proxy.#listener = createServer((client) => proxy.#accept(client)).listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    proxy.#port = (proxy.#listener.address() as AddressInfo).port;
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Cuts all connections. New ones can be made. */
  cut(): void {
    for (const { client, server } of [...this.#links]) {
      client.destroy();
      server.destroy();
    }
  }

  /** Cuts all connections, and new ones as soon as they are made. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
    if (isRefusing) this.cut();
  }

  /** Lets nothing pass, in either direction. What was held back is lost. */
  hole(isHole: boolean): void {
    this.#isHole = isHole;
    if (!isHole) this.cut();
  }

  /** Lets nothing pass by the connections that there are, and tells nobody. New ones work. */
  freeze(): void {
    for (const link of this.#links) link.isFrozen = true;
  }

  /** Delays what the server sends. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /**
   * Lets the next request pass that contains a text. Its answer is lost, and the connection is cut.
   *
   * @returns a promise that resolves when that has happened.
   */
  swallowAnswerTo(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#swallow = (request) => request.includes(text);
      this.#swallowed = resolve;
    });
  }

  /** Ends the search for a request that has not come. */
  swallowNothing(): void {
    this.#swallow = undefined;
  }

  #accept(client: Socket): void {
    this.connections++;
    const server = connect(this.#target, '127.0.0.1');
    const link: Link = { client, server, isFrozen: false };
    this.#links.add(link);
    let isLosing = false;
    const end = () => {
      this.#links.delete(link);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    if (this.#isRefusing) {
      end();
      return;
    }
    client.on('data', (data) => {
      if (this.#isHole || link.isFrozen) return;
      if (this.#swallow?.(data.toString('latin1'))) {
        this.#swallow = undefined;
        isLosing = true;
      }
      server.write(data);
    });
    server.on('data', (data) => {
      if (this.#isHole || link.isFrozen) return;
      if (isLosing) {
        end();
        this.#swallowed?.();
        return;
      }
      if (this.#delayMs === 0) client.write(data);
      else setTimeout(() => client.destroyed || client.write(data), this.#delayMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }
}
