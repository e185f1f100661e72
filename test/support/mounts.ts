// Processes that see other file systems than the rest of the machine does.
import { spawnSync } from 'node:child_process';
import { onLinux } from './system';

/** Why there can be none here, if that is so. */
export const whyNoMounts = ((): string | undefined => {
  if (!onLinux) return 'needs Linux: mount namespaces';
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm']);
  return status === 0 ? undefined : 'needs unshare -m and mount, so root';
})();

/** What a program is to be started under that comes after some commands of a shell. */
export function after(commands: string, user?: number): string[] {
  const as =
    user === undefined
      ? ''
      : `setpriv --reuid=${String(user)} --regid=${String(user)} --clear-groups`;
  return ['unshare', '-m', 'sh', '-c', `${commands} && exec ${as} "$@"`, 'sh'];
}
