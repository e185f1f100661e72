// Processes that see other file systems than the other processes of the machine.
import { spawnSync } from 'node:child_process';
import { onLinux } from './system';

/** The reason why there can be no such processes here, or undefined when they are possible. */
export const whyNoMounts = ((): string | undefined => {
  if (!onLinux) return 'needs Linux: mount namespaces';
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']);
  return status === 0 ? undefined : 'needs unshare -m and mount, so root';
})();

/** The program and arguments under which a program must be started to run after some shell commands. */
export function after(commands: string, user?: number): string[] {
  const as =
    user === undefined
      ? ''
      : `setpriv --reuid=${String(user)} --regid=${String(user)} --clear-groups`;
  return ['unshare', '-m', 'sh', '-c', `${commands} && exec ${as} "$@"`, 'sh'];
}

/** The command that mounts a /dev/shm with these options. */
export const tmpfs = (options: string): string => `mount -t tmpfs -o ${options} tmpfs /dev/shm`;
