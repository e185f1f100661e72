import { reasonOf } from '../../common/options';
import { after, steadyMs, type Timer } from '../wire/clock';
import { unavailable } from '../wire/failures';
import type { Session } from './session';

/** What an attempt came to: what was waited for, or after how many milliseconds to look again at the latest. */
export type Attempt<T> = { readonly got: T } | { readonly lookInMs: number };

/** A wait for something on the server. */
export interface Wait<T> {
  readonly session: Session;
  /** The number by which the server tells of news. */
  readonly number: number;
  /**
   * Tries. It is called again at each message, and when it is time to look. It is not called while it is under way.
   *
   * @param isOver - whether nobody waits any more.
   */
  attempt(isOver: () => boolean): Promise<Attempt<T>>;
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** The error when the time is over. */
  expired(timeout: number): Error;
  /** Is called when nobody waits any more, and nothing was got: it withdraws what the attempts have left. */
  calledOff(): void;
}

/**
 * A timeout that is over before the first answer has come waits for that answer, for this long at most. So what is free
 * is got, even with a timeout that is shorter than the way to the server and back.
 */
const firstAnswerMs = 1000;

/** The waits of one handle. Each of them settles, whatever the server does. */
export class Pending {
  readonly #all = new Set<(error: unknown) => void>();

  /** Ends all waits with an error. */
  giveUp(error: unknown): void {
    for (const fail of [...this.#all]) fail(error);
  }

  wait<T>(wait: Wait<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { session, number, timeout, signal } = wait;
      let isOver = false;
      let isUnderWay = false;
      let isNews = false;
      let isAnswered = false;
      let isLate = false;
      let look: Timer | undefined;
      let limit: Timer | undefined;

      const settle = (): boolean => {
        if (isOver) return false;
        isOver = true;
        look?.stop();
        limit?.stop();
        session.forget(number);
        signal?.removeEventListener('abort', onAbort);
        this.#all.delete(fail);
        return true;
      };
      const fail = (error: unknown): void => {
        if (!settle()) return;
        wait.calledOff();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- a signal may have any reason
        reject(error);
      };
      const onAbort = (): void => fail(signal === undefined ? undefined : reasonOf(signal));
      const expire = (): void => {
        const why = 'the server could not be asked within the time';
        fail(isAnswered ? wait.expired(timeout ?? 0) : unavailable(why));
      };

      const attempt = (): void => {
        if (isOver) return;
        if (isUnderWay) {
          isNews = true;
          return;
        }
        isUnderWay = true;
        isNews = false;
        look?.stop();
        wait
          .attempt(() => isOver)
          .then(
            (outcome) => {
              isUnderWay = false;
              isAnswered = true;
              // What was got too late is withdrawn: the request for that was sent after this one.
              if (isOver) return;
              if ('got' in outcome) {
                settle();
                resolve(outcome.got);
              } else if (isLate || timeout === 0) expire();
              else if (isNews) attempt();
              else look = after(outcome.lookInMs, attempt);
            },
            (error: unknown) => {
              isUnderWay = false;
              fail(error);
            },
          );
      };

      this.#all.add(fail);
      session.listen(number, attempt);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (timeout !== undefined) {
        const begun = steadyMs();
        limit = after(timeout, () => {
          if (isAnswered || !session.isUp) {
            expire();
            return;
          }
          isLate = true;
          limit = after(Math.max(firstAnswerMs - (steadyMs() - begun), 0), expire);
        });
      }
      attempt();
    });
  }
}
