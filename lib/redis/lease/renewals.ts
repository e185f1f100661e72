import { renewClaim } from '../scripts/dict';
import { renewLock } from '../scripts/lock';
import { renewParticipant } from '../scripts/manager';
import { renewRW } from '../scripts/rw-lock';
import { renewPermit } from '../scripts/semaphore';

/** The scripts that renew a lease. A thread is told their names, since a script is too long to be sent each time. */
export const renewals = {
  lock: renewLock,
  permit: renewPermit,
  rwlock: renewRW,
  claim: renewClaim,
  participant: renewParticipant,
} as const;

export type RenewalName = keyof typeof renewals;
