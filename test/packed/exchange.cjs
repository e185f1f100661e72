// What a project does with the installed package: this process and a child, which runs the same program,
// exchange data through the library. Prints what went wrong, or that nothing did.
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { realpathSync } = require('node:fs');
const assert = require('node:assert/strict');

/** The file that this program was started from. A program inside an executable has no file. */
const program = [process.argv[1]].filter((file) => {
  try {
    return realpathSync(file) !== realpathSync(process.execPath);
  } catch {
    return false;
  }
});

module.exports = async function exchange({ Manager, NamedLock, SharedMemory }) {
  const [, , ...names] = process.argv;
  if (names.length > 0) {
    const memory = SharedMemory.attach(names[0]);
    const lock = NamedLock.attach(names[1]);
    const manager = Manager.attach(names[2]);
    const guard = await lock.acquire();
    memory.array('uint8')[0] += 1;
    manager.dict('told').add('children', 1);
    guard.release();
    return;
  }
  const memory = SharedMemory.create({ size: 8 });
  const lock = NamedLock.create();
  const manager = Manager.create();
  const dict = manager.dict('told');
  memory.array('uint8')[0] = 41;
  const guard = lock.acquireSync();
  const child = spawn(process.execPath, [...program, memory.name, lock.name, manager.name], {
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  guard.release();
  assert.deepEqual(await ended, [0, null]);
  assert.equal(memory.array('uint8')[0], 42);
  assert.equal(dict.get('children'), 1);
  manager.shutdown();
  for (const each of [memory, lock]) {
    each.unlink();
    each.close();
  }
  console.log(`${process.platform}-${process.arch}, Node ${process.version}: ok`);
};
