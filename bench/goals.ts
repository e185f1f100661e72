import type { Name } from './contenders';

/** What a row is meant to reach, as a figure computed from two medians. */
export interface Goal {
  readonly text: string;
  readonly against?: Name;
  figure(ours: number, theirs: number): number;
  /** Absent where there is no limit to reach. */
  readonly met?: (figure: number) => boolean;
  show(figure: number): string;
}

/** Our time divided by theirs: smaller is better. */
export function atMostTimes(factor: number, against: Name): Goal {
  return {
    text: `≤ ${factor} × ${against}`,
    against,
    figure: (ours, theirs) => ours / theirs,
    met: (ratio) => ratio <= factor,
    show: times,
  };
}

/** Their time divided by ours: larger is better. */
export function timesAsFastAs(factor: number, against: Name): Goal {
  return {
    text: `${factor} × as fast as ${against}`,
    against,
    figure: (ours, theirs) => theirs / ours,
    met: (ratio) => ratio >= factor,
    show: times,
  };
}

export function aheadOf(against: Name): Goal {
  return { ...timesAsFastAs(1, against), text: `ahead of ${against}`, met: (ratio) => ratio > 1 };
}

export function within(nanoseconds: number): Goal {
  return {
    text: `≤ ${duration(nanoseconds)}`,
    figure: (ours) => ours,
    met: (ours) => ours <= nanoseconds,
    show: duration,
  };
}

export function atMostMore(nanoseconds: number, against: Name): Goal {
  return {
    text: `≤ ${duration(nanoseconds)} over ${against}`,
    against,
    figure: (ours, theirs) => ours - theirs,
    met: (more) => more <= nanoseconds,
    show: (more) => `+ ${duration(more)}`,
  };
}

/** A ratio that is reported but has no limit. */
export function told(against: Name): Goal {
  return {
    text: `– (× ${against})`,
    against,
    figure: (ours, theirs) => ours / theirs,
    show: times,
  };
}

function times(ratio: number): string {
  return `${ratio.toPrecision(ratio < 100 ? 3 : 4)} ×`;
}

/** Formats nanoseconds for people. */
export function duration(nanoseconds: number): string {
  const units = [
    ['s', 1e9],
    ['ms', 1e6],
    ['µs', 1e3],
  ] as const;
  for (const [unit, size] of units) {
    if (nanoseconds >= size) return `${rounded(nanoseconds / size)} ${unit}`;
  }
  return `${rounded(nanoseconds)} ns`;
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
