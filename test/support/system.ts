// What the system under the tests can do, and its limits.

/** Whether the addon under test is built on Linux from the mechanisms of macOS: see CMakeLists.txt. */
const asOnMacos = process.env.SHMKIT_AS_ON_MACOS !== undefined;

export const onLinux = process.platform === 'linux' && !asOnMacos;
export const onMacos = process.platform === 'darwin' || asOnMacos;
export const onWindows = process.platform === 'win32';

/** How many processes a test ends, at most. Fewer are wanted where a process takes a second to start. */
export const mostKills = Number(process.env.SHMKIT_STORM_KILLS ?? 10_000);

/** Windows has no SIGSTOP, and whether all threads stand still is read in /proc. */
export const canStop = process.platform === 'linux';

/** How many bytes a segment's name may have in UTF-8. */
export const segmentNameBytes = onWindows ? 220 : onMacos ? 30 : 255;

/** How many bytes any other name may have, with the prefix of its kind. */
export const nameLimitBytes = onWindows ? 220 : 255;
