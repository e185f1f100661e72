/**
 * The version of the layout of everything in shared memory. Objects with another layout version cannot be
 * used. native/core/layout.h contains the same number.
 */
export const layoutVersion = 2;
