import { fileURLToPath } from 'node:url';
import { Manager, NamedLock, SharedMemory } from 'shmkit';
import exchange from './exchange.cjs';

await exchange({ Manager, NamedLock, SharedMemory }, fileURLToPath(import.meta.url));
