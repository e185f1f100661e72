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
    process.kill(pid, 'SIGSTOP');
    await until(() => threadsOf(pid).every(({ state }) => state === 'T'));
    if (threadsOf(pid).every(({ rests }) => rests)) return;
    process.kill(pid, 'SIGCONT');
    await delay(1);
  }
}

interface Thread {
  /** One letter, as in proc_pid_stat(5). */
  state: string;
  /** It sleeps until something happens, or did when it was stopped. */
  rests: boolean;
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
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const read = (file: string) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'latin1');
    const stat = read('stat');
    const [number, , operation] = read('syscall').split(' ').map(Number);
    const rests =
      number === futex ? futexWaits.includes(operation! & futexCommand) : sleeps.includes(number!);
    return { state: stat.slice(stat.lastIndexOf(')') + 2)[0]!, rests };
  });
}
