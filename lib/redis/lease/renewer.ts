import { after, steadyMs, wallMs, type Timer } from '../wire/clock';
import type { Script } from '../wire/script';
import type { Answer, Wire } from '../wire/wire';
import { LeaseEnd, type Place } from './slots';
import { renewals, type RenewalName } from './renewals';

/** What is held, as plain data: how its lease is renewed, and where its end is noted. */
export interface Held {
  readonly id: number;
  readonly renewal: RenewalName;
  readonly keys: readonly string[];
  readonly token: string;
  /** What the script needs besides the token and the length of the lease. */
  readonly more?: readonly Uint8Array[];
  readonly leaseMs: number;
  readonly place: Place;
}

/** A lease is renewed when this part of it is over, so a renewal may fail twice. */
const renewedAfter = 1 / 3;

/** Clocks of the client and the server may run at different speeds, by this much at most. */
const drift = 0.01;
/** For what is done between the look at the clock and the use of the lease. */
const marginMs = 10;

/** For how many milliseconds a holder may rely on a lease, from the moment before it asked for it. */
export function reliedOnMs(leaseMs: number): number {
  return leaseMs * (1 - drift) - marginMs;
}

/** When a renewal that the server has refused is tried again. */
const retryMs = 100;

interface Renewed {
  readonly held: Held;
  readonly end: LeaseEnd;
  readonly script: Script;
  timer: Timer | undefined;
}

/** Renews leases, in whatever thread it is. It never throws: a lease that cannot be renewed is reported as lost. */
export class Renewer {
  readonly #wire: Wire;
  readonly #onLost: (id: number) => void;
  readonly #all = new Map<number, Renewed>();

  constructor(wire: Wire, onLost: (id: number) => void) {
    this.#wire = wire;
    this.#onLost = onLost;
  }

  add(held: Held): void {
    const each: Renewed = {
      held,
      end: new LeaseEnd(held.place),
      script: renewals[held.renewal],
      timer: undefined,
    };
    this.#all.set(held.id, each);
    this.#plan(each);
  }

  remove(id: number): void {
    this.#all.get(id)?.timer?.stop();
    this.#all.delete(id);
  }

  close(): void {
    for (const id of [...this.#all.keys()]) this.remove(id);
  }

  /**
   * What began at about the same time is renewed in one go, by requests that are written together. What was renewed by
   * another, and comes late, is renewed at once.
   */
  #plan(each: Renewed): void {
    const { held, end } = each;
    const leftMs = end.leftMs(steadyMs(), wallMs());
    const inMs = leftMs - held.leaseMs * (1 - renewedAfter);
    each.timer = after(Math.max(inMs, 0), () => void this.#renew(each), false);
  }

  async #renew(each: Renewed): Promise<void> {
    const { held, end, script } = each;
    const isOver = (): boolean =>
      this.#all.get(held.id) !== each || end.leftMs(steadyMs(), wallMs()) <= 0;
    let answer: Answer = null;
    if (!isOver()) {
      // A thread gets bytes without their class.
      const more = (held.more ?? []).map((bytes) => Buffer.from(bytes));
      const deadline = steadyMs() + end.leftMs(steadyMs(), wallMs());
      try {
        const answered = await this.#wire.run(
          script,
          held.keys,
          [held.token, String(held.leaseMs), ...more],
          { repeats: true, deadline, isOver },
        );
        answer = (answered.answer as readonly Answer[])[0] ?? null;
        const ms = reliedOnMs(held.leaseMs);
        if (this.#all.get(held.id) !== each) return;
        const isRenewed =
          String(answer) === 'renewed' &&
          end.leftMs(steadyMs(), wallMs()) > 0 &&
          end.extend(answered.sentAtMs + ms, answered.sentAtWallMs + ms);
        if (isRenewed) {
          this.#plan(each);
          return;
        }
      } catch {
        // The server has refused it, or could not be reached before the lease was over.
      }
    }
    if (this.#all.get(held.id) !== each) return;
    if (String(answer) === 'null' && end.leftMs(steadyMs(), wallMs()) > 0) {
      // The request was refused, but the lease has not ended yet.
      each.timer = after(retryMs, () => void this.#renew(each), false);
      return;
    }
    this.#all.delete(held.id);
    end.lose();
    this.#onLost(held.id);
  }
}
