import { native, type NativeFailure } from './binding';
import { SharedMemoryError } from './errors';
import { called, type Kind } from './names';

/** Whether a native call's result is a failure. */
export function isFailure(result: unknown): result is NativeFailure {
  return typeof result === 'object' && result !== null && 'errno' in result;
}

/**
 * Whether the failure to find an object that was closed here is how it has to be: where it went with
 * its last handle, there is no name left to remove.
 */
export function wentWithLastHandle(code: string | undefined): boolean {
  return code === 'ENOENT' && !native.namesOutliveHandles;
}

/** What people are told of a system call that failed on the object of that name. */
export function explain(failure: NativeFailure, kind: Kind, name: string): SharedMemoryError {
  const object = called(kind, name);
  return new SharedMemoryError(failure.code, `${object}: ${reason(failure)}`, {
    syscall: failure.syscall,
    errno: failure.errno,
    resource: name,
  });
}

function reason({ code, syscall }: NativeFailure): string {
  switch (code) {
    case 'ENOENT':
      return 'there is none of that name; create() or open() makes one';
    case 'EEXIST':
      return 'the name is taken; attach() or open() uses what is there';
    case 'EACCES':
    case 'EPERM':
      return (
        'permission denied; its owner and mode decide who may, and by default its owner alone: create it ' +
        'with a mode such as 0o660 or 0o666, or as the user who is to use it; SharedMemory.list() shows both'
      );
    case 'ENOSPC':
      return 'the memory file system has no room for it; nothing was created';
    case 'ENOMEM':
      return 'the system has no memory or address space left for it';
    case 'EFBIG':
    case 'EOVERFLOW':
      return 'the system does not allow an object of that size';
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open';
    case 'EINVAL':
      return syscall === 'mmap'
        ? 'it has no bytes; its creator may have died before giving it a size'
        : `the system refused (${syscall})`;
    case 'ELOOP':
    case 'EISDIR':
    case 'ENXIO':
    case 'ENODEV':
      return 'what bears the name is not a shared memory object';
    default:
      return `${syscall} failed with ${code}`;
  }
}
