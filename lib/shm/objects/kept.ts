import { statSync, type Stats } from 'node:fs';
import { Attachment, unlinkObject } from '../core/attachment';
import { native, type SegmentHandle } from '../core/binding';
import { explain, isFailure } from '../core/failures';
import { kindNumbers, layout } from '../core/layout';
import type { LockSeat } from '../core/lock-seat';
import { toCreate } from '../core/named-object';
import { asManager, systemName } from '../core/names';
import { defaultMode } from '../../common/options';
import { CorruptError } from '../../values/corrupt-error';
import { parseHandle, textOf } from '../../values/handles';
import { GoneError, tellOutOfBand } from '../../values/out-of-band';
import type { Packed } from '../../values/packer';
import { tellKeeping, type Made } from '../structure/out-of-band';
import { Holds, askOf, firstWords } from './holds';
import { keeperIdIn, keptName } from './kept-names';
import { isKept } from './layout';
import { removeKeptOrphans, withSweep } from './orphans';
import { readFrom, type SealedSource } from './sealed-front';
import { sealFor, sealedContents } from './sealed-value';

/** Nobody holds such an object for long: only its maker, and who removes it. */
const participants = 8;

/** After so many stores, this thread looks again for what the dead have left. */
const storesASweep = 1024;
let made = 0;

/**
 * So many ArrayBuffers of such values may be mapped at one time by this thread. A program that reads values in a loop
 * without ever giving the event loop a turn frees none of them, and a process has a limited number of mappings.
 */
const mostMapped = 2048;
let mapped = 0;
const unmapped = new FinalizationRegistry<undefined>(() => mapped--);

/** The file of a structure. Undefined if its name was removed. */
function fileOf(structure: LockSeat): Stats | undefined {
  try {
    return statSync(`${native.place}/${systemName(structure.kind, structure.name)}`);
  } catch {
    return undefined;
  }
}

/** The permission bits of structures, which their values get as well. */
const modes = new WeakMap<LockSeat, number>();

/**
 * Only the owner of a structure stores values apart: those of others would belong to them, and the owner could neither
 * remove them nor, perhaps, read them.
 */
function canStore(structure: LockSeat): boolean {
  const file = fileOf(structure);
  if (file === undefined || file.uid !== process.geteuid?.()) return false;
  modes.set(structure, file.mode & 0o777);
  try {
    // The name of a manager may be so long that no object can have it in its name.
    return systemName('object', keptName(structure)) !== '';
  } catch {
    return false;
  }
}

/** An object that was made for a structure. This thread holds it until it calls one of the methods. */
class MadeObject implements Made {
  readonly text: string;
  readonly bytes: number;
  readonly #attachment: Attachment;
  readonly #holds: Holds;

  constructor(packed: Packed, structure: LockSeat, name: string) {
    const keeper = { shmkit: structure.kind, name: structure.name };
    const words = firstWords(name, false);
    const sealed = sealFor(keeper, packed);
    const contents = sealedContents(sealed, words, participants, undefined, undefined);
    const kept = { ...contents, type: contents.type | isKept };
    const request = toCreate('object', { name, mode: modes.get(structure) ?? defaultMode }, kept);
    const attachment = withSweep(() => asManager(() => new Attachment(request)));
    const { seat } = attachment;
    this.#attachment = attachment;
    this.#holds = seat.state(() => new Holds(seat));
    this.#holds.begin([]);
    this.text = textOf({ shmkit: 'object', name });
    this.bytes = seat.size;
  }

  keep(): void {
    this.#holds.keep();
  }

  release(): void {
    // If it fails, the hold counts for nothing when this thread has ended.
    ignoring(() => this.#attachment.close());
  }

  discard(): void {
    // If it fails, it is an orphan when this thread has ended.
    ignoring(() => this.#holds.letGo());
    this.release();
  }
}

/** Calls a function, and ignores its error, unless the thread has run out of stack. */
function ignoring(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (error instanceof Error && error.name === 'RangeError' && !('code' in error)) throw error;
  }
}

/** Does nothing if it is gone, or if this process may not remove it. */
function letGo(text: string, id: string): void {
  ignoring(() => {
    const { name } = parseHandle(text);
    // The bytes of the record may have been overwritten.
    if (keeperIdIn(name) !== id) return;
    // Without an answer it is damaged, or gone.
    if (askOf(name, (holds) => holds.letGo()) === undefined) unlinkObject('object', name);
  });
}

const size = new Float64Array(1);

/** An object of which only the bytes are used. It stays mapped as long as somebody has one of its ArrayBuffers. */
class KeptSource implements SealedSource {
  readonly type: number;
  readonly length: number;
  readonly dataBytes: number;
  readonly #segment: SegmentHandle;
  readonly #dataAt: number;
  #isMapped = false;

  constructor(name: string) {
    const segment = native.segmentAttach(systemName('object', name), true, size);
    if (isFailure(segment)) {
      if (segment.code === 'ENOENT') throw new GoneError('the object that has it is gone');
      throw explain(segment, 'object', name);
    }
    this.#segment = segment;
    const [bytes = 0] = size;
    const header = new DataView(new ArrayBuffer(layout.headerBytes));
    if (bytes >= layout.headerBytes) this.#copy(0, header);
    const word = (at: number) => header.getUint32(at, isLittleEndian);
    this.type = word(layout.typeAt);
    this.length = Number(header.getBigUint64(layout.lengthAt, isLittleEndian));
    this.#dataAt = word(layout.dataAtAt);
    this.dataBytes = Number(header.getBigUint64(layout.sizeAt, isLittleEndian)) - this.#dataAt;
    const isOne =
      word(layout.magicAt) === layout.magic &&
      header.getUint16(layout.kindAt, isLittleEndian) === kindNumbers.object &&
      this.#dataAt >= layout.headerBytes &&
      this.#dataAt + this.dataBytes <= bytes;
    if (isOne) return;
    this.end();
    throw new CorruptError('a value in it has invalid bytes');
  }

  within<T>(at: number, bytes: number, read: (shown: ArrayBuffer) => T): T {
    const copy = new ArrayBuffer(bytes);
    this.#copy(this.#dataAt + at, new DataView(copy));
    return read(copy);
  }

  /** A private view of some bytes, or a copy of them. */
  readonly show = (at: number, bytes: number): ArrayBuffer => {
    const from = this.#dataAt + at;
    const shown =
      mapped < mostMapped ? native.segmentBuffer(this.#segment, from, bytes) : undefined;
    if (shown === undefined) return this.within(at, bytes, (copy) => copy);
    this.#isMapped = true;
    mapped++;
    unmapped.register(shown, undefined);
    return shown;
  };

  /** Called when all has been read. */
  end(): void {
    if (!this.#isMapped) native.segmentClose(this.#segment, undefined);
  }

  #copy(from: number, { buffer }: DataView<ArrayBuffer>): void {
    native.segmentCopyOut(this.#segment, from, new Uint8Array(buffer));
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function read(text: string): unknown {
  const source = new KeptSource(parseHandle(text).name);
  try {
    return readFrom(source, source.show);
  } finally {
    source.end();
  }
}

/** Makes structures able to store values apart. */
export function keepValues(): void {
  tellOutOfBand(read);
  tellKeeping({
    canStore,
    nameFor: keptName,
    make(packed, structure, name) {
      if (made++ % storesASweep === 0) removeKeptOrphans();
      return new MadeObject(packed, structure, name);
    },
    remove: (name) => ignoring(() => unlinkObject('object', name)),
    letGo,
  });
}
