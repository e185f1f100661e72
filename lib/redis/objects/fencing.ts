import { invalidType } from '../../common/errors';
import { checkOptions } from '../../common/options';

/** What proves that a change is made by a holder: a guard of any lock. */
export interface Fence {
  readonly fence: number;
  readonly lock: { readonly name: string };
}

/** The options of a change that only the latest holder of a lock may make. */
export interface FenceOptions {
  /**
   * The guard of a lock. The change is refused with `ERR_FENCED` if a later holder of that lock has changed the object
   * with its own guard. So a holder that was stopped for longer than its lease changes nothing.
   */
  readonly fence?: Fence | undefined;
}

/** The arguments of scripts that are fenced: the lock's name and the fence, or nothing. */
export function fenceArguments(options: FenceOptions | undefined): [string, string] {
  const guard: unknown = options?.fence;
  if (guard === undefined) return ['', '0'];
  const { fence, lock } = (
    typeof guard === 'object' && guard !== null ? guard : {}
  ) as Partial<Fence>;
  if (!Number.isSafeInteger(fence) || typeof lock?.name !== 'string' || lock.name === '') {
    throw invalidType('fence', 'the guard of a lock', guard);
  }
  return [lock.name, String(fence)];
}

export function checkFenceOptions(options: FenceOptions | undefined): [string, string] {
  if (options !== undefined) checkOptions(options, ['fence']);
  return fenceArguments(options);
}
