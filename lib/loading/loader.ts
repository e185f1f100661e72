// The file that each other file of the package asks for what the thread has once, and for each other.
export { home } from './home';
export { library, part } from './parts';
