import { describe, expect, it } from 'vitest';
import { start } from '../../support/children';

const canTransfer = 'transfer' in ArrayBuffer.prototype;

/** Runs in a separate process, because the test is that the process does not crash. */
async function survives(how: string): Promise<void> {
  const child = start('memory/late-writers', [how], { execArgv: ['--expose-gc'] });
  expect(await child.hear()).toBe('alive');
  await child.succeed();
}

describe('a segment closed', () => {
  it('under crypto.randomFill does not crash the process', () => survives('randomFill'));

  it('under fs.read does not crash the process', () => survives('read'));

  it.runIf(canTransfer)(
    'leaves a buffer made by transfer() empty of its bytes (Node 22 and later)',
    () => survives('transfer'),
  );
});
