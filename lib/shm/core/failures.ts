import { native, type NativeFailure } from './binding';
import { SharedMemoryError } from '../../common/errors';
import { sealedKinds } from './layout';
import { called, checkedSystemName, type Kind } from './names';
import {
  currentUser,
  describeBytes,
  describeExactly,
  mappings,
  memoryLimit,
  permissionsOf,
  roomAt,
  type Permissions,
} from './surroundings';

/** Whether a native call's result is a failure. */
export function isFailure(result: unknown): result is NativeFailure {
  return typeof result === 'object' && result !== null && 'errno' in result;
}

/**
 * Whether the error code of removing a name after the handle was closed is no error at all. On some systems a name
 * disappears with its last handle. Then there may be no name left to remove.
 */
export function wentWithLastHandle(code: string | undefined): boolean {
  return code === 'ENOENT' && !native.namesOutliveHandles;
}

/** The error for a system call that failed on the object of that name. */
export function explain(failure: NativeFailure, kind: Kind, name: string): SharedMemoryError {
  const effect = failure.code === 'ENOSPC' ? '; nothing was created' : '';
  return failed(failure, `${called(kind, name)}: ${reason(failure, kind, name)}${effect}`, name);
}

/** The error for an existing object that needs more memory and cannot get it. */
export function explainGrowth(failure: NativeFailure, kind: Kind, name: string): SharedMemoryError {
  const why = reason(failure, kind, name);
  return failed(failure, `${called(kind, name)}: ${why}; nothing was changed`, name);
}

/**
 * The error for a failure to set up the thread's presence: the sign by which other threads and processes see that
 * this thread is still alive.
 */
export function explainPresence(
  failure: NativeFailure,
  kind: Kind,
  name: string,
): SharedMemoryError {
  const why = failure.place === undefined ? unknown(failure) : reason(failure, kind, name);
  return failed(
    failure,
    `${called(kind, name)}: this thread cannot show other processes that it is alive: ${why}`,
    name,
  );
}

/** The error for a failure to list all objects. */
export function explainList(failure: NativeFailure): SharedMemoryError {
  return failed(failure, `shared objects cannot be listed: ${listReason(failure)}`);
}

function listReason(failure: NativeFailure): string {
  const { code, place } = failure;
  if (place === undefined) return `the system does not provide a list (${code})`;
  return ownReason(failure) ?? placeReason(failure, place);
}

function failed(
  { code, syscall, errno }: NativeFailure,
  message: string,
  resource?: string,
): SharedMemoryError {
  const details = { syscall, errno, ...(resource !== undefined && { resource }) };
  return new SharedMemoryError(code, message, details);
}

function reason(failure: NativeFailure, kind: Kind, name: string): string {
  const { code, syscall, place } = failure;
  const own = ownReason(failure);
  if (own !== undefined) return own;
  if (place !== undefined) return placeReason(failure, place);
  switch (code) {
    case 'ENOENT':
      return sealedKinds.has(kind)
        ? 'there is none with that name: nobody holds it any more, or create() never made it'
        : 'there is none with that name; create() or open() creates one';
    case 'EEXIST':
      return `the name is taken; ${sealedKinds.has(kind) ? 'attach() uses' : 'attach() or open() uses'} the existing object`;
    case 'EACCES':
    case 'EPERM':
      return syscall === 'unlink' ? mayNotRemove(kind, name) : mayNotUse(kind, name);
    case 'EINVAL':
      return syscall === 'mmap'
        ? 'it has no bytes; its creator may have died before it set a size'
        : `the system refused (${syscall})`;
    case 'ELOOP':
    case 'EISDIR':
    case 'ENXIO':
    case 'ENODEV':
      return 'the entry with that name is not a shared memory object';
    default:
      return unknown(failure);
  }
}

/** What the process or the system has too little of, wherever the object is. */
function ownReason(failure: NativeFailure): string | undefined {
  switch (failure.code) {
    case 'EMFILE':
    case 'ENFILE':
      return 'too many files are open';
    case 'ENOMEM':
      return lacksMemory(failure);
    case 'ENOSPC':
      return lacksRoom(failure);
    case 'EFBIG':
    case 'EOVERFLOW':
      return 'the system does not allow an object of that size';
    default:
      return undefined;
  }
}

function unknown({ code, syscall }: NativeFailure): string {
  return `${syscall} failed with ${code}`;
}

/** Says what is wrong with the directory that contains all objects, or with its file system. */
function placeReason(failure: NativeFailure, place: string): string {
  const { code, syscall } = failure;
  if (place !== native.place) return directoryReason(failure, place);
  switch (code) {
    case 'ENOENT':
      return `${place} does not exist: mount a tmpfs there (a container with --ipc=none has no ${place})`;
    case 'ENOTDIR':
      return `${place} is not a directory: mount a tmpfs there`;
    case 'EROFS':
      return (
        `${place} is read-only: mount a writable tmpfs there; ` +
        'existing segments can be attached with readOnly'
      );
    case 'EACCES':
      return mayNotUsePlace(place);
    case 'EDQUOT':
      return `the quota of this user at ${place} is used up`;
    case 'ENOSPC':
      return lacksRoom(failure);
    default:
      return `the file system at ${place} cannot hold shared objects (${syscall}: ${code}): mount a tmpfs there`;
  }
}

/** The same for a directory that the program has chosen. */
function directoryReason(failure: NativeFailure, directory: string): string {
  const { code, syscall } = failure;
  switch (code) {
    case 'ENOENT':
      return `the directory ${directory} does not exist`;
    case 'ENOTDIR':
      return `${directory} is not a directory`;
    case 'EROFS':
      return `${directory} is read-only`;
    case 'EACCES': {
      const found = permissionsOf(directory);
      return `permission denied at ${directory}${found === undefined ? '' : `: it belongs to ${owner(found)}`}`;
    }
    case 'EDQUOT':
      return `the quota of this user at ${directory} is used up`;
    case 'ENOSPC':
      return lacksRoom(failure);
    case 'ENOTSUP':
      return (
        `the file system at ${directory} has no unnamed files (${syscall}: ${code}): use a directory ` +
        'on ext4, xfs, btrfs or tmpfs'
      );
    default:
      return `the file system at ${directory} refused (${syscall}: ${code})`;
  }
}

function lacksRoom({ place, bytes }: NativeFailure): string {
  const wanted = bytes === undefined ? '' : ` for ${describeExactly(bytes)}`;
  if (place === undefined) return 'the system has no room for it';
  const room = roomAt(place);
  if (room === undefined) return `${place} has no room${wanted}`;
  if (room.isFullOfFiles && (bytes === undefined || bytes <= room.free)) {
    return `${place} cannot hold more names: its file system has its maximum number of files (nr_inodes)`;
  }
  const { total, free } = room;
  const hint =
    place === native.place ? '; in a container, docker run --shm-size makes it larger' : '';
  return `${place} has no room${wanted}: ${describeBytes(total)} in total, ${describeBytes(free)} free${hint}`;
}

const lacksAddresses = 'the system has no memory or address space left for it';

/** From which part of the mappings that are allowed on they are the reason. See native/os/map_limit_linux.cc. */
const mostlyMapped = 7 / 8;

function lacksMappings(): string | undefined {
  const found = mappings();
  if (found === undefined || found.count < mostlyMapped * found.most) return undefined;
  return (
    `this process has ${found.count} mappings; the system allows ${found.most}, of which some are left to everything ` +
    'else: close what is not used, put many small values into a SharedDict, or raise vm.max_map_count'
  );
}

function lacksMemory({ place, bytes }: NativeFailure): string {
  if (place === undefined || bytes === undefined) return lacksMappings() ?? lacksAddresses;
  const limit = memoryLimit();
  if (bytes <= limit) return `the system has no memory left for ${describeExactly(bytes)}`;
  return (
    `${describeExactly(bytes)} is more than the memory limit of ${describeBytes(limit)} for this container or ` +
    `control group; ${place} counts towards that limit`
  );
}

function inOctal(mode: number): string {
  return `0${mode.toString(8).padStart(3, '0')}`;
}

/** `user 0 with mode 0600, and this process is user 1000`. */
function owner({ uid, mode }: Permissions): string {
  const user = currentUser();
  const own = user === undefined ? '' : `, and this process is user ${user}`;
  return `user ${uid} with mode ${inOctal(mode)}${own}`;
}

function permissionsOfObject(kind: Kind, name: string): Permissions | undefined {
  const { place } = native;
  const full = checkedSystemName(kind, name);
  if (full.startsWith('/')) return permissionsOf(full);
  return place === undefined ? undefined : permissionsOf(place, full);
}

function mayNotUse(kind: Kind, name: string): string {
  const found = permissionsOfObject(kind, name);
  return (
    `permission denied${found === undefined ? '' : `: it belongs to ${owner(found)}`}; its owner and mode decide ` +
    'who can use it (by default, only the owner): create it with a mode such as 0o660 or 0o666 (the umask ' +
    'does not change it), or as the user who will use it'
  );
}

function directoryOf(kind: Kind, name: string): string {
  const full = checkedSystemName(kind, name);
  if (full.startsWith('/')) return full.slice(0, full.lastIndexOf('/'));
  return native.place ?? 'the directory of shared memory';
}

function mayNotRemove(kind: Kind, name: string): string {
  const found = permissionsOfObject(kind, name);
  return (
    `its name cannot be removed${found === undefined ? '' : `: it belongs to ${owner(found)}`}; ` +
    `${directoryOf(kind, name)} is a sticky directory, where only the owner can remove a name`
  );
}

function mayNotUsePlace(place: string): string {
  const found = permissionsOf(place);
  return (
    `permission denied at ${place}${found === undefined ? '' : `: it belongs to ${owner(found)}`}; ` +
    `for all users to create objects, it must have mode 1777 (chmod 1777 ${place})`
  );
}
