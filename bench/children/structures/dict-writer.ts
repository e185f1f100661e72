// The other process of dict-beside.ts: sets one entry after another until it is told to stop. Checks for
// messages from time to time.
import { lmdb, shared } from '../memory/stores';

const [store = '', many, state = '', directory = '', packages = ''] = process.argv.slice(2);
const length = Number(many);
const keys = Array.from({ length }, (_, i) => `key ${i}`);
const entries = store === 'lmdb' ? lmdb(packages, directory) : shared(length);
let written = 0;
let isOver = false;

function write(): void {
  if (isOver) return;
  for (let i = 0; i < 1000; i++) entries.set(keys[written++ % length]!, written);
  setImmediate(write);
}

process.on('message', (message) => {
  process.send!(message === 'ready?' ? 'ready' : written);
  if (message === 'ready?' && state === 'written') write();
});
process.on('disconnect', () => {
  isOver = true;
  entries.end(false);
});
