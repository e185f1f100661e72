/**
 * Identifies a wait across threads and processes: when it began, and in which thread. If one wait begins
 * after another, the later one has the greater label. Labels are used to find waits that wait for each other
 * in a circle; see value-wait.ts.
 */
export interface Label {
  /** Milliseconds since the machine booted. */
  readonly time: number;
  readonly token: number;
}

/** The longest uptime of a machine that is considered possible, in milliseconds. */
const latest = 2 ** 42;

/** Makes a label of stored values, or returns undefined if they are not valid: they may have been overwritten. */
export function labelOf(time: number, token: number): Label | undefined {
  return time > 0 && time <= latest && Number.isSafeInteger(token) ? { time, token } : undefined;
}

export function isSame(one: Label, other: Label): boolean {
  return one.time === other.time && one.token === other.token;
}

export function isLater(one: Label, other: Label): boolean {
  return one.time > other.time || (one.time === other.time && one.token > other.token);
}
