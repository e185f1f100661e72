/** Of all that lies in shared memory; another one is not to be used. native/core/layout.h has it, too. */
export const layoutVersion = 2;
