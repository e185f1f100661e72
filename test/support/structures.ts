// Parts of structures, over ordinary memory.
import { GrowingMemory, type AddressSpace } from '../../lib/shm/structure/growing-memory';
import { Arena, arenaWords } from '../../lib/shm/structure/arena';
import { UndoLog } from '../../lib/shm/structure/undo-log';

const logRecords = 1000;
const arenaAt = 8;
const logAt = arenaAt + arenaWords;
export const blocksAt = logAt + UndoLog.words(logRecords);

/** An arena with everything it needs. At first only a part of its memory is there. */
export function ordinaryArena(bytes: number, mostPages = Infinity) {
  const data = new ArrayBuffer(bytes);
  const words = new Int32Array(data);
  words[0] = Math.ceil((4 * (blocksAt + 2)) / 4096);
  Arena.initialize(words, arenaAt, blocksAt);
  const grown: [number, number][] = [];
  const space: AddressSpace = {
    bytes,
    offset: 0,
    show: () => data,
    hide: () => undefined,
    commit: (offset, length) => {
      if ((offset + length) / 4096 > mostPages) {
        return { code: 'ENOSPC', errno: -28, syscall: 'fallocate' };
      }
      grown.push([offset, length]);
      return undefined;
    },
  };
  const memory = new GrowingMemory(space, 0, blocksAt + 2);
  const log = new UndoLog(memory, logAt, logRecords);
  const arena = new Arena(memory, log, arenaAt, blocksAt);
  return { memory, log, arena, words, grown, arenaAt, logAt, least: arenaAt };
}

export { randomNumbers } from '../fixtures/structure/random';
