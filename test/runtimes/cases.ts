// How the cases of the smoke suite are declared, run and counted.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { endPeers } from './peers';

interface Case {
  readonly name: string;
  readonly test: () => void | Promise<void>;
}

const cases: Case[] = [];
const mark = `smoke-${randomBytes(6).toString('hex')}`;
let lastName = 0;

/** A name that no other run uses. It identifies what a case leaves behind. */
export function freshName(): string {
  return `${mark}-${++lastName}`;
}

export function define(name: string, test: () => void | Promise<void>): void {
  cases.push({ name, test });
}

/** Thrown by a case for which this runtime lacks the means. */
export class Skip extends Error {}

function ownObjects(): string[] {
  return readdirSync('/dev/shm').filter((object) => object.includes(mark));
}

export async function run(filter: string): Promise<void> {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { name, test } of cases) {
    if (!name.includes(filter)) continue;
    // Printed before the case as well, so that a case that crashes is known.
    console.log(`.. ${name}`);
    const before = ownObjects();
    try {
      await test();
      await endPeers();
      assert.deepEqual(ownObjects(), before, 'left in /dev/shm');
      counts.passed++;
      console.log(`ok ${name}`);
    } catch (error) {
      await endPeers();
      if (error instanceof Skip) {
        counts.skipped++;
        console.log(`SKIPPED ${name}: ${error.message}`);
      } else {
        counts.failed++;
        console.log(`FAILED ${name}: ${String((error as Error).stack)}`);
      }
    }
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exitCode = failed === 0 && passed + skipped > 0 ? 0 : 1;
}
