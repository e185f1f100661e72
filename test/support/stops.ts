// Processes that are stopped: they are not dead, but do nothing.
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from './temporaries';

/**
 * Stops a process when it is at rest. A process that is stopped while it holds an object's inner lock makes
 * others wait for it, rightly. Resolves when all of its threads stand still.
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
  /** The thread sleeps in a system call until something happens. */
  rests: boolean;
  stackPointer: number;
  programCounter: number;
}

/**
 * Whether each thread was at rest, and is still where it was. The kernel of arm64 does not report the
 * system call of a stopped thread.
 */
function stoodStill(before: Thread[], after: Thread[]): boolean {
  return after.every((thread) => {
    const then = before.find(({ id }) => id === thread.id);
    if (!then?.rests || then.stackPointer !== thread.stackPointer) return false;
    // For a call that will be restarted, the kernel moves the program counter back to its instruction,
    // which has 4 bytes.
    return [0, 4].includes(then.programCounter - thread.programCounter);
  });
}

/**
 * The numbers of the system calls in which a thread at rest sleeps, from asm/unistd.h: futex, epoll_wait or
 * epoll_pwait, and restart_syscall. A timed futex call becomes restart_syscall when the process continues.
 */
const futex = process.arch === 'arm64' ? 98 : 202;
const sleeps = process.arch === 'arm64' ? [22, 128] : [232, 281, 219];
/**
 * FUTEX_WAIT and FUTEX_WAIT_BITSET, from linux/futex.h, without the flags. The mask selects the command.
 */
const futexWaits = [0, 9];
const futexCommand = 0x7f;

function threadsOf(pid: number): Thread[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${id}/${file}`, 'latin1');
    const stat = read('stat');
    // The number of the call, six arguments, the stack pointer, the program counter; or `running`.
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
