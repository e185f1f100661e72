import { readFileSync, statSync } from 'node:fs';
import { native } from '../core/binding';

let known: Int32Array | undefined;

/**
 * Identifies the processes that see whether a thread of this process is alive: those of this start of the machine that
 * have the same directory of shared memory. Other processes may still see the same files, on a volume of several
 * containers for example.
 */
export function presenceDomain(): Int32Array {
  return (known ??= findDomain());
}

export const domainWords = 4;

function findDomain(): Int32Array {
  const { dev, ino } = statSync(native.place ?? '/', { bigint: true });
  const boot = BigInt(`0x${bootId().replaceAll('-', '').slice(0, 16)}`);
  const words = [dev, ino, boot, boot >> 32n].map((each) => Number(BigInt.asIntN(32, each)));
  return Int32Array.from(words);
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '0'; // /proc is not mounted
  }
}
