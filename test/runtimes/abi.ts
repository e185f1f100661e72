// Two C libraries on one machine: a mutex of one library is not a mutex of the other, and is refused. The
// environment says how to run a program with the other library: the words of a command, and its variables.
import assert from 'node:assert/strict';
import {
  NamedEvent,
  NamedLock,
  SharedArray,
  SharedDict,
  SharedMemory,
  SharedQueue,
  type SharedMemoryError,
} from 'shmkit';
import { define, freshName, run } from './cases';
import { Peer } from './peers';

const [command, variables] = JSON.parse(process.env.SHMKIT_SMOKE_OTHER!) as [
  string[],
  Record<string, string>,
];
const other = () => Peer.process<never>(undefined, command, variables);

const kinds = {
  NamedLock: () => NamedLock.create({ name: freshName() }),
  NamedEvent: () => NamedEvent.create({ name: freshName() }),
  SharedArray: () => SharedArray.create({ name: freshName(), type: 'int32', length: 4 }),
  SharedDict: () => SharedDict.create({ name: freshName() }),
  SharedQueue: () => SharedQueue.create({ name: freshName() }),
};

for (const [kind, create] of Object.entries(kinds)) {
  define(`${kind} of this C library is refused by the other`, async () => {
    const object = create();
    if (object instanceof NamedLock) object.acquireSync();
    const peer = await other();
    const outcome = await peer.run(
      ({ shmkit }, { kind, name }: { kind: string; name: string }) => {
        const { [kind]: kindThere } = shmkit as unknown as Record<string, typeof shmkit.NamedLock>;
        const refusals: string[] = [];
        for (const way of ['attach', 'open'] as const) {
          try {
            kindThere![way](name).close();
            refusals.push('none');
          } catch (error) {
            refusals.push((error as SharedMemoryError).code);
          }
        }
        return refusals;
      },
      { kind, name: object.name },
    );
    // The options for opening an array are checked before there is an object.
    const second = kind === 'SharedArray' ? 'ERR_INVALID_ARG_TYPE' : 'ERR_ABI_MISMATCH';
    assert.deepEqual(outcome, ['ERR_ABI_MISMATCH', second]);
    if (object instanceof NamedLock) object.release();
    object.unlink();
    object.close();
  });
}

define('NamedLock of the other C library is refused by this one', async () => {
  const peer = await other();
  const name = freshName();
  await peer.run(({ shmkit, kept }, name: string) => {
    kept.guard = shmkit.NamedLock.create({ name }).acquireSync();
  }, name);
  const refusal = (error: unknown) => {
    const { code, message } = error as SharedMemoryError;
    assert.equal(code, 'ERR_ABI_MISMATCH');
    assert.match(message, /glibc/);
    assert.match(message, /musl/);
    return true;
  };
  assert.throws(() => NamedLock.attach(name), refusal);
  assert.throws(() => NamedLock.open(name), refusal);
  // The process that created the object is not affected.
  assert.equal(
    await peer.run(({ shmkit }, name: string) => shmkit.NamedLock.attach(name).locked, name),
    true,
  );
  await peer.run(({ shmkit, kept }, name: string) => {
    kept.guard?.release?.();
    shmkit.NamedLock.unlink(name);
  }, name);
});

define('plain memory is the same to both', async () => {
  const memory = SharedMemory.create({ name: freshName(), size: 16 });
  const peer = await other();
  await peer.run(({ shmkit }, name: string) => {
    const there = shmkit.SharedMemory.attach(name);
    there.array('int32')[1] = 5;
    there.close();
  }, memory.name);
  assert.equal(memory.array('int32')[1], 5);
  memory.unlink();
  memory.close();
});

void run(process.argv[2] ?? '');
