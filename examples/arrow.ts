/**
 * Four processes read one Apache Arrow table. It is in memory once: each process reads the columns where they are.
 *
 * In Python, `pyarrow.ipc.open_stream(pyarrow.memory_map(path))` does that with a file, which somebody has to remove.
 * What a `multiprocessing.Pool` is given is pickled for each task.
 *
 *     node -r ts-node/register examples/arrow.ts
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Float64, tableFromArrays, tableFromIPC, tableToIPC } from 'apache-arrow';
import { attach, SharedObject, type SharedObjectHandle } from 'shmkit';

const readers = 4;
const rows = 1 << 22;

interface Answer {
  readonly sum: number;
  /** Whether the column is the attached memory itself. */
  readonly isInPlace: boolean;
}

async function read(): Promise<void> {
  const [handle] = (await once(process, 'message')) as [SharedObjectHandle<Uint8Array>];
  using object = attach(handle);
  const bytes = object.value;
  const table = tableFromIPC<{ price: Float64 }>(bytes);
  const prices = table.getChild('price')!;
  const { buffer } = prices.data[0]!.values;
  let sum = 0;
  for (const price of prices.toArray()) sum += price;
  process.send!({ sum, isInPlace: buffer === bytes.buffer } satisfies Answer);
  // The columns are empty when the object is closed. It stays open until the parent has looked at the memory.
  await once(process, 'disconnect');
}

async function main(): Promise<void> {
  const price = Float64Array.from({ length: rows }, (_, i) => (i % 1000) / 4);
  using object = SharedObject.create({ from: tableToIPC(tableFromArrays({ price })) });
  const children: ChildProcess[] = [];
  try {
    for (let i = 0; i < readers; i++) children.push(fork(__filename, ['read']));
    const finish = Promise.all(children.map(success));
    const answers = Promise.all(children.map((child) => ask(child, object)));
    await Promise.race([answers, finish]); // a reader that fails ends the waiting

    const sum = price.reduce((all, each) => all + each, 0);
    const right = (await answers).filter((answer) => answer.sum === sum && answer.isInPlace);
    console.log(`${right.length} of ${readers} processes read the table in place: sum ${sum}`);
    console.log(`its memory in all of them together: ${share(children, object)}`);
    if (right.length < readers) process.exitCode = 1;
    for (const child of children) child.disconnect();
    await finish;
  } finally {
    for (const child of children) child.kill(); // those that still run when another one has failed
  }
}

async function ask(child: ChildProcess, object: SharedObject<Uint8Array>): Promise<Answer> {
  child.send(object);
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

/** How much memory processes need for an object. What several of them use counts for each in part. */
function share(children: readonly ChildProcess[], object: SharedObject): string {
  if (process.platform !== 'linux') return 'this system does not tell';
  // The proportional set size (PSS) of each mapping of the object's file, in KiB.
  const mapping = new RegExp(`${object.name}$[^]*?^Pss: +(\\d+) kB$`, 'gm');
  const kib = children
    .flatMap(({ pid }) => [...readFileSync(`/proc/${pid}/smaps`, 'latin1').matchAll(mapping)])
    .reduce((sum, [, pss]) => sum + Number(pss), 0);
  return `${((kib * 1024) / object.size).toFixed(2)} times its size`;
}

async function success(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (code !== 0) throw new Error(`process ${child.pid} ended by ${signal ?? `code ${code}`}`);
}

void (process.argv[2] === 'read' ? read() : main());
