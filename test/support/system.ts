// What the system under the tests can do, and what it calls things.

/** Whether the addon under test is one of what macOS has, on Linux: see CMakeLists.txt. */
const asOnMacos = process.env.SHMKIT_AS_ON_MACOS !== undefined;

export const onLinux = process.platform === 'linux' && !asOnMacos;
export const onMacos = process.platform === 'darwin' || asOnMacos;
export const onWindows = process.platform === 'win32';

/** How often a test has something end, at most. Less is wanted where a process takes a second to start. */
export const mostKills = Number(process.env.SHMKIT_STORM_KILLS ?? 10_000);

/** Windows has no SIGSTOP; and whether all threads stand is read in /proc. */
export const canStop = process.platform === 'linux';

/** The bytes a segment's name may have in UTF-8. */
export const segmentNameBytes = onWindows ? 220 : onMacos ? 30 : 255;

/** The bytes that any other name may have, with the prefix of its kind. */
export const nameLimitBytes = onWindows ? 220 : 255;
