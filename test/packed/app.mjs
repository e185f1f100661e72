// A program that uses only the package. Bundlers can make one ES module of it.
import { NamedLock, SharedDict } from 'shmkit';

const lock = NamedLock.create();
const dict = SharedDict.create();
const guard = await lock.acquire();
dict.set('object', { a: new Map([[1, 'one']]) });
const { a } = dict.get('object');
guard.release();
for (const each of [lock, dict]) {
  each.unlink();
  each.close();
}
if (a.get(1) !== 'one') throw new Error('it is another');
console.log('ok');
