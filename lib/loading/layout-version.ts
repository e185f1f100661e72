/**
 * The version of the layout of everything in shared memory. Other versions cannot be used.
 * native/core/layout.h has it too.
 */
export const layoutVersion = 2;
