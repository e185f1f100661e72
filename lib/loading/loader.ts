// The other files of the package load this file, for what the thread has only once, and for each other.
export { home } from './home';
export { checkBuild, evaluate, isInterrupted, library, part } from './parts';
