// The main file of the thread that renews leases. It has a connection of its own, so that a holder whose event loop is
// blocked keeps what it holds.
import { parentPort, workerData } from 'node:worker_threads';
import { Wire, type WireOptions } from '../wire/wire';
import { Renewer, type Held } from './renewer';

/** What the thread is told. */
export type Order = { readonly add: Held } | { readonly remove: number } | 'close';

/** What the thread tells: it is connected; a lease was lost, or will not be written to any more. */
export interface News {
  readonly isUp?: true;
  readonly lost?: number;
  readonly removed?: number;
}

const port = parentPort;
if (port !== null) {
  const wire = Wire.begin(workerData as WireOptions);
  wire.onUp(() => port.postMessage({ isUp: true } satisfies News));
  const renewer = new Renewer(wire, (lost) => port.postMessage({ lost } satisfies News));
  port.on('message', (order: Order) => {
    if (order === 'close') {
      renewer.close();
      wire.close();
      port.close();
    } else if ('add' in order) {
      renewer.add(order.add);
    } else {
      renewer.remove(order.remove);
      port.postMessage({ removed: order.remove } satisfies News);
    }
  });
}
