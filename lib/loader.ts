// The file that each other file of the package asks for the addon, and for each other.
export { loadAddon } from './addon';
export { library, part } from './parts';
