/**
 * By what a wait is known to all that wait for each other, wherever: when it began, and in which thread.
 * Of two that were begun one after the other, the later has the greater label.
 */
export interface Label {
  /** Milliseconds since the machine was started. */
  readonly time: number;
  readonly token: number;
}

/** No machine is up for longer. */
const latest = 2 ** 42;

/** What is left of a label that may have been overwritten by anything. */
export function labelOf(time: number, token: number): Label | undefined {
  return time > 0 && time <= latest && Number.isSafeInteger(token) ? { time, token } : undefined;
}

export function isSame(one: Label, other: Label): boolean {
  return one.time === other.time && one.token === other.token;
}

export function isLater(one: Label, other: Label): boolean {
  return one.time > other.time || (one.time === other.time && one.token > other.token);
}
