/**
 * Images go through a pipeline of processes: one decodes them, three blur one colour each, and one encodes the results.
 * The pixels stay in shared memory. What the processes send to each other is handles of some sixty bytes.
 *
 * In Python, that takes a `SharedMemory` for each frame, numpy arrays over its `buf`, and code that unlinks it at the
 * right time. Here the last process that closes a frame removes it.
 *
 *     node -r ts-node/register examples/image-pipeline.ts
 */
import sharp from 'sharp';
import { attach, SharedObject, type SharedObjectHandle } from 'shmkit';
import workerpool from 'workerpool';

const frames = 6;
const [width, height, colours] = [960, 640, 3];
const size = width * height;
const radius = 4;

/** An array for each colour. Filters and models often want pixels in this form. */
type Planes = readonly Uint8Array[];

/** An encoded image. It stands for what comes from a file or a camera. */
async function photo(n: number): Promise<Buffer> {
  const circle = `<circle cx="${150 * (n + 1)}" cy="${100 * (n + 1)}" r="90" fill="orange"/>`;
  return sharp(Buffer.from(`<svg width="${width}" height="${height}">${circle}</svg>`)).toBuffer();
}

/** Decodes an image into this memory. */
async function decodeInto(memory: ArrayBuffer, image: Buffer): Promise<Planes> {
  // sharp always decodes into memory of its own. Splitting its output into planes is what fills the frame.
  const decoded = await sharp(image).removeAlpha().raw().toBuffer();
  return Array.from({ length: colours }, (_, colour) => {
    const plane = new Uint8Array(memory, colour * size, size);
    for (let i = 0; i < size; i++) plane[i] = decoded[i * colours + colour]!;
    return plane;
  });
}

/** Fills this memory: each pixel is the mean of those above and below. */
function blurInto(memory: ArrayBuffer, plane: Uint8Array): Uint8Array {
  const blurred = new Uint8Array(memory);
  for (let i = 0; i < size; i++) {
    let sum = 0;
    let count = 0;
    for (let row = -radius; row <= radius; row++) {
      const pixel = plane[i + row * width];
      if (pixel === undefined) continue; // outside of the frame
      sum += pixel;
      count++;
    }
    blurred[i] = sum / count;
  }
  return blurred;
}

/** What the decoder does. */
async function decode(n: number): Promise<SharedObjectHandle<Planes>> {
  using draft = SharedObject.allocate({ size: colours * size, handOver: true });
  using frame = draft.seal(await decodeInto(draft.buffer, await photo(n)));
  return frame.toJSON(); // it is closed here, and belongs to the process that attaches to it
}

/** What a worker does. */
function blur(handle: SharedObjectHandle<Uint8Array>): SharedObjectHandle<Uint8Array> {
  using plane = attach(handle);
  using draft = SharedObject.allocate({ size, handOver: true });
  using blurred = draft.seal(blurInto(draft.buffer, plane.value));
  return blurred.toJSON();
}

/** sharp reads the planes where they are. */
async function encode([first, ...rest]: Planes): Promise<Buffer> {
  const raw = { width, height, channels: 1 } as const;
  const others = rest.map((plane) => Buffer.from(plane.buffer, plane.byteOffset, size));
  return sharp(first, { raw }).joinChannel(others, { raw }).toColourspace('srgb').png().toBuffer();
}

/** Whether an image is what a single process makes, which shares nothing. */
async function isRight(image: Buffer, n: number): Promise<boolean> {
  const planes = await decodeInto(new ArrayBuffer(colours * size), await photo(n));
  return image.equals(await encode(planes.map((each) => blurInto(new ArrayBuffer(size), each))));
}

async function main(): Promise<void> {
  const [decoder, blurrers] = [poolOf(1), poolOf(colours)];
  const taken: SharedObject[] = [];
  let sent = 0;

  /** Runs a task of a pool, and takes its result over. */
  async function run<T>(pool: workerpool.Pool, name: string, argument: unknown) {
    const handle = (await pool.exec(name, [argument])) as SharedObjectHandle<T>;
    sent += JSON.stringify([argument, handle]).length;
    const object = attach(handle);
    taken.push(object);
    return object;
  }

  async function blurred(plane: Uint8Array): Promise<SharedObject<Uint8Array>> {
    // What is a part of another object is not copied into this one, but referred to.
    using part = SharedObject.create({ from: plane });
    return await run(blurrers, 'blur', part); // held until the worker has answered
  }

  async function processed(n: number): Promise<Buffer> {
    using frame = await run<Planes>(decoder, 'decode', n);
    const results = await Promise.all(frame.value.map(blurred));
    const image = await encode(results.map((result) => result.value));
    for (const result of results) result.close();
    return image;
  }

  try {
    // While one frame is blurred, the next one is decoded.
    const images = await Promise.all(Array.from({ length: frames }, (_, n) => processed(n)));
    const right = (await Promise.all(images.map(isRight))).filter(Boolean).length;
    const pixels = taken.reduce((sum, object) => sum + object.size, 0);
    console.log(`${right} of ${frames} frames are right`);
    console.log(`sent between processes: ${sent} bytes, and not sent: ${pixels} bytes`);
    if (right < frames) process.exitCode = 1;
  } finally {
    await Promise.all([decoder.terminate(true), blurrers.terminate(true)]);
    for (const object of taken) object.close(); // what is still open when something has failed
  }
}

function poolOf(maxWorkers: number): workerpool.Pool {
  const forkOpts = { execArgv: process.execArgv }; // ts-node in the workers, too
  return workerpool.pool(__filename, {
    maxWorkers,
    workerType: 'process',
    forkOpts,
    forkArgs: ['worker'],
  });
}

if (process.argv[2] === 'worker') workerpool.worker({ decode, blur });
else void main();
