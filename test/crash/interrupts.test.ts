// Code that V8 ends without a `catch` or a `finally`, and code that runs out of stack, leaves nothing held,
// neither for this process nor for others.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
// The library must be imported after the modules that watch it.
import { countSteps, interrupt, stepWithin } from '../support/interrupts';
import { watched } from '../fixtures/stores';
import { SharedObject } from 'shmkit';
import { cases, letGo, onStepsWithin, tasksEnd } from '../fixtures/interrupts/cases';
import { start } from '../support/children';
import { keptAfterSweep } from '../support/kept';
import { onLinux } from '../support/system';

const verbs = Object.entries(cases).flatMap(([name, { verbs }]) =>
  Object.keys(verbs).map((verb) => [name, verb] as const),
);

describe.runIf(onLinux)('what is interrupted at any step of', () => {
  it.each(Object.entries(cases))('a %s is whole, and of use to all', async (name, one) => {
    const peer = start('interrupts/peer');
    await peer.hear();
    onStepsWithin(stepWithin);
    const fresh = () => watched(one.create);
    const tasks = Object.entries(one.tasks ?? {});
    for (const [verb, act] of [...Object.entries(one.verbs), ...tasks]) {
      const isOfTasks = one.tasks?.[verb] === act;
      const remove = (object: ReturnType<typeof fresh>) => {
        letGo();
        object.unlink();
        object.close();
      };
      const counted = fresh();
      const steps = countSteps(() => act(counted));
      await tasksEnd();
      remove(counted);
      for (let step = 0; step < steps; step++) {
        const object = fresh();
        interrupt(step, () => act(object));
        const where = `${verb}, interrupted at step ${step} of ${steps}`;
        letGo();
        // This thread can use it at once. Other threads can use it before this thread waits for something.
        if (step % 2 === 0 && !isOfTasks) expect(() => one.use(object), where).not.toThrow();
        await turn();
        await turn();
        await tasksEnd();
        peer.tell([name, object]);
        expect(await peer.hear(), where).toBe('well');
        expect(() => one.use(object), where).not.toThrow();
        remove(object);
      }
    }
    await peer.kill();
    // A thread that is interrupted right when it lets go of an object holds it until it ends.
    for (const held of keptAfterSweep()) SharedObject.unlink(held);
  });
});

describe.runIf(onLinux)('what runs out of stack at any place of', () => {
  it.each(verbs)("a %s's %s", async (name, verb) => {
    const child = start('interrupts/overflows', [name, verb], { execArgv: ['--stack-size=300'] });
    const [count, elsewhere] = await child.hear<[number, string]>();
    expect(count).toBeGreaterThan(0);
    expect(elsewhere).toBe('"well"');
    await child.succeed();
  });
});
