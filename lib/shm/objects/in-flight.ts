import { Attachment } from '../core/attachment';
import { native } from '../core/binding';
import { toAttach } from '../core/named-object';
import { Holds } from './holds';

/**
 * What this thread has handed over and closed, on systems where an object disappears with its last handle. It is kept
 * until somebody has taken it.
 */
const kept = new Map<Attachment, Holds>();

/** Called before the last handle to an object that is handed over may be closed. */
export function keepUntilTaken(name: string): void {
  if (native.namesOutliveHandles) return;
  letTakenGo();
  try {
    const attachment = new Attachment(toAttach('object', name));
    const { seat } = attachment;
    kept.set(
      attachment,
      seat.state(() => new Holds(seat)),
    );
  } catch {
    // It has ended with its manager, or was unlinked.
  }
  letTakenGo();
}

/** Lets go of what was taken in the meantime. */
export function letTakenGo(): void {
  for (const [attachment, holds] of kept) {
    if (holds.isAwaited) continue;
    kept.delete(attachment);
    attachment.close();
  }
}
