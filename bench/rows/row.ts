import type { Contenders } from '../contenders';
import type { Goal } from '../goals';

export interface Row {
  /** What `--only` is matched against. */
  readonly id: string;
  readonly title: string;
  readonly contenders: Contenders;
  readonly goals: readonly Goal[];
}
