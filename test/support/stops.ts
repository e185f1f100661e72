// Processes that stand still: not dead, but doing nothing.
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from './temporaries';

/**
 * Stops a process where it rests: whoever is stopped while it holds an object's inner lock is,
 * rightly, waited for. Resolves when all of it stands.
 */
export async function stopAtRest(pid: number): Promise<void> {
  for (;;) {
    const before = threadsOf(pid);
    process.kill(pid, 'SIGSTOP');
    await until(() => threadsOf(pid).every(({ state }) => state === 'T'));
    if (stoodStill(before, threadsOf(pid))) return;
    process.kill(pid, 'SIGCONT');
    await delay(1);
  }
}

interface Thread {
  id: string;
  /** One letter, as in proc_pid_stat(5). */
  state: string;
  /** It sleeps in a system call until something happens. */
  rests: boolean;
  stackPointer: number;
  programCounter: number;
}

/**
 * Whether each thread rested, and stands where it did: what it called, the kernel of arm64 does not
 * tell any more of a stopped one.
 */
function stoodStill(before: Thread[], after: Thread[]): boolean {
  return after.every((thread) => {
    const then = before.find(({ id }) => id === thread.id);
    if (!then?.rests || then.stackPointer !== thread.stackPointer) return false;
    // A call that will be made again is returned to its instruction, which has 4 bytes there.
    return [0, 4].includes(then.programCounter - thread.programCounter);
  });
}

/**
 * The numbers of the system calls in which a thread at rest sleeps, from asm/unistd.h: futex,
 * epoll_wait or epoll_pwait, and restart_syscall, which is what a timed futex call becomes when the
 * process goes on.
 */
const futex = process.arch === 'arm64' ? 98 : 202;
const sleeps = process.arch === 'arm64' ? [22, 128] : [232, 281, 219];
/** FUTEX_WAIT and FUTEX_WAIT_BITSET, from linux/futex.h; less its flags, in the low bits. */
const futexWaits = [0, 9];
const futexCommand = 0x7f;

function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${id}/${file}`, 'latin1');
    const stat = read('stat');
    // The number, six arguments, the stack pointer, the program counter; or `running`.
    const call = read('syscall').split(' ').map(Number);
    const [number, , operation] = call;
    return {
      id,
      state: stat.slice(stat.lastIndexOf(')') + 2)[0]!,
      rests:
        number === futex
          ? futexWaits.includes(operation! & futexCommand)
          : sleeps.includes(number!),
      stackPointer: call.at(-2)!,
      programCounter: call.at(-1)!,
    };
  });
}
