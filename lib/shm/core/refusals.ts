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
        `it has ${found} bytes, less than a header (${layout.headerBytes} bytes) or less than its header says`,
      );
    case Refusal.Foreign:
      return corrupt('it does not begin with the header of a shmkit object');
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
          `it was created by a shmkit with layout version ${found}, but this one has ` +
          `${layout.version}; use only one version on a machine`,
      };
    case Refusal.Abi:
      return {
        code: 'ERR_ABI_MISMATCH' as const,
        why:
          `it has ${describeAbi(found)}, but this process uses ` +
          `${describeAbi(native.layout.abi ?? 0)}; they are not compatible`,
      };
  }
}

function corrupt(why: string) {
  return { code: 'ERR_CORRUPT' as const, why: `${why}; unlink() removes it` };
}
