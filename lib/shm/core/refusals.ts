import { Refusal, native, type NativeRefusal } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { aKind, called } from './names';
import { describeAbi } from './abi';
import { kindNumbers, layout, type ObjectKind } from './layout';

/** The error for an object that cannot be used according to its header. */
export function refused(refusal: NativeRefusal, kind: ObjectKind, name: string): SharedMemoryError {
  const { code, why } = explainRefusal(refusal, kind);
  return new SharedMemoryError(code, `${called(kind, name)}: ${why}`, { resource: name });
}

/** Whether no version of this library can be using the object, so that it is safe to remove. */
export function isLitter({ refusal }: NativeRefusal): boolean {
  return refusal !== Refusal.Version && refusal !== Refusal.Abi;
}

function explainRefusal({ refusal, found }: NativeRefusal, kind: ObjectKind) {
  switch (refusal) {
    case Refusal.Truncated:
      return corrupt(
        `it has ${found} bytes, fewer than its header (${layout.headerBytes}) says or takes`,
      );
    case Refusal.Foreign:
      return corrupt('it does not begin as an object of this library does');
    case Refusal.Unfinished:
      return corrupt('its creator did not finish it, or its header was overwritten');
    case Refusal.Kind:
      return {
        code: 'ERR_WRONG_KIND' as const,
        why: `it is an object of kind ${found}, not ${aKind(kind)} (kind ${kindNumbers[kind]})`,
      };
    case Refusal.Version:
      return {
        code: 'ERR_ABI_MISMATCH' as const,
        why:
          `it was made by a shmkit with layout version ${found}, and this one has ` +
          `${layout.version}; use one version on a machine`,
      };
    case Refusal.Abi:
      return {
        code: 'ERR_ABI_MISMATCH' as const,
        why:
          `its mutex is of ${describeAbi(found)}, which this process ` +
          `(${describeAbi(native.layout.abi ?? 0)}) cannot share`,
      };
  }
}

function corrupt(why: string) {
  return { code: 'ERR_CORRUPT' as const, why: `${why}; unlink() removes it` };
}
