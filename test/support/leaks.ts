// Checks around every test that it leaves nothing in /dev/shm, and that no more file descriptors are open
// than before.
import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { endChildren } from './children';
import { onLinux } from './system';

let objects: string[];
let descriptors: Map<string, number>;

function sharedObjects(): string[] {
  return readdirSync('/dev/shm').sort();
}

/** How many descriptors refer to each target. Pipes and sockets differ in their number only. */
function openDescriptors(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const fd of readdirSync('/proc/self/fd')) {
    let target: string;
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, '');
    } catch {
      continue; // the descriptor of this very listing
    }
    // The presence of a thread (native/os/presence.h). A thread keeps it from the time it first needs it.
    if (target === '/dev/shm' || target.includes('/shmkit-presence-')) continue;
    counts.set(target, (counts.get(target) ?? 0) + 1);
  }
  return counts;
}

function added(before: Map<string, number>, after: Map<string, number>): string[] {
  return [...after].filter(([to, n]) => n > (before.get(to) ?? 0)).map(([to]) => to);
}

beforeEach(() => {
  if (!onLinux) return;
  objects = sharedObjects();
  descriptors = openDescriptors();
});

afterEach(async () => {
  await endChildren();
  if (!onLinux) return;
  expect(sharedObjects(), 'left in /dev/shm').toEqual(objects);
  // The pipes of ended children are closed on later turns of the event loop.
  const watchdog = Date.now() + 10_000;
  while (added(descriptors, openDescriptors()).length > 0 && Date.now() < watchdog) await delay(5);
  expect(added(descriptors, openDescriptors()), 'descriptors left open').toEqual([]);
});
