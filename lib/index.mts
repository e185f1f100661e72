// One instance of the library serves both module systems: two would not know of each other's locks.
export * from './index.js';
