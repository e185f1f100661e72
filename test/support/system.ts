// What the system under the tests can do, and what it calls things.

export const onLinux = process.platform === 'linux';
export const onWindows = process.platform === 'win32';

/** Of a storm's kills. Fewer are wanted where a process takes a second to start, or two. */
export const mostKills = Number(process.env.SHMKIT_STORM_KILLS ?? 10_000);

/** How much slower than usual the machine is, where what a storm kills is to get as far nevertheless. */
export const slowness = Number(process.env.SHMKIT_STORM_SLOWNESS ?? 1);

/** Windows has no SIGSTOP; and whether all threads stand is read in /proc. */
export const canStop = onLinux;

/** The bytes a name may have in UTF-8, with the prefix of its kind. */
export const nameLimitBytes = onWindows ? 220 : process.platform === 'darwin' ? 30 : 255;
