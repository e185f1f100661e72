/**
 * One worker process. It is told one name, and finds everything else by that name. So it makes no
 * difference whether it was forked, spawned, or started by hand in another shell.
 */
import { NamedLock, SharedMemory } from 'shmkit';
import { Board } from './board';
import { namesOf } from './layout';
import { Member } from './member';
import { countWords } from './tokenize';
import { WordTable } from './word-table';

async function work(name: string): Promise<void> {
  const { segments, locks } = namesOf(name);
  using board = Board.attach(segments.board);
  using text = SharedMemory.attach(segments.text, { readOnly: true });
  using results = SharedMemory.attach(segments.results);
  const stopWatching = endWithParent(locks.parent);

  const member = await Member.join(name, board, results.size);
  await passGate(locks.gate);

  const table = new WordTable();
  for (let chunk = await member.claim(); chunk; chunk = await member.claim()) {
    // It reads directly from shared memory and writes directly to it. Neither text nor counts are ever
    // copied.
    table.clear();
    countWords(text.array('uint8', chunk.textStart, chunk.textBytes), table);
    const room = await member.reserve(table.encodedBytes);
    table.encodeInto(results.array('uint8', room.start, room.bytes));
    await member.commit(chunk, room);
  }

  member.leave();
  stopWatching();
}

/** The parent opens the gate when all workers are there. So no worker has a head start. */
async function passGate(name: string): Promise<void> {
  using gate = NamedLock.attach(name);
  (await gate.acquire()).release();
}

/** Without a parent, nobody needs the counts. When the parent dies, we get its life lock, and exit too. */
function endWithParent(name: string): () => void {
  const parent = NamedLock.attach(name);
  const watch = new AbortController();
  const orphaned = () => process.exit(1);
  parent.acquire({ signal: watch.signal }).then(orphaned, (error: unknown) => {
    if (!watch.signal.aborted) throw error;
  });
  return () => {
    watch.abort();
    parent.close();
  };
}

const [name] = process.argv.slice(2);
if (name === undefined) throw new Error('usage: worker <name>');
void work(name);
