import { Manager, NamedLock, SharedMemory } from 'shmkit';
import exchange from './exchange.cjs';

await exchange({ Manager, NamedLock, SharedMemory });
