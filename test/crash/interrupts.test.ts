// Code that V8 ends without a `catch` or a `finally`, and code that runs out of stack, leaves nothing held,
// neither for this process nor for others.
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
// The library must be imported after the modules that watch it.
import { countSteps, interrupt, stepWithin } from '../support/interrupts';
import { watched } from '../fixtures/stores';
import { NamedBarrier, NamedLock, SharedObject, SharedQueue, type LockGuard } from 'shmkit';
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
        if (isOfTasks) one.next?.(object);
        letGo();
        // This thread can use it at once. Other threads can use it before this thread waits for something.
        if (step % 2 === 0 && !isOfTasks) expect(() => one.use(object), where).not.toThrow();
        await turn();
        await turn();
        await tasksEnd().catch((cause: unknown) => {
          throw new Error(where, { cause });
        });
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

describe.runIf(onLinux)('what is interrupted at any step', () => {
  it('while another task waits at a barrier counts, and leaves it broken; or does not', async () => {
    const fresh = async () => {
      const barrier = NamedBarrier.create({ parties: 3 });
      const waits = barrier.wait().catch(() => undefined);
      await turn();
      return { barrier, waits };
    };
    const arrive = (barrier: NamedBarrier) => void barrier.wait().catch(() => undefined);
    const counted = await fresh();
    const steps = countSteps(() => arrive(counted.barrier));
    counted.barrier.abort();
    await counted.waits;
    counted.barrier.unlink();
    const outcomes = new Set<string>();
    for (let step = 0; step < steps; step++) {
      const { barrier, waits } = await fresh();
      interrupt(step, () => arrive(barrier));
      await turn();
      await turn();
      const { broken, waiting } = barrier;
      if (!broken) expect(waiting, `interrupted at step ${step} of ${steps}`).toBe(1);
      outcomes.add(broken ? 'broken' : 'whole');
      barrier.abort();
      await waits;
      barrier.unlink();
      barrier.close();
    }
    expect([...outcomes].sort()).toEqual(['broken', 'whole']);
    counted.barrier.close();
  });

  it.each(['acquireSync', 'tryAcquire', 'runExclusiveSync'] as const)(
    'of %s leaves nothing held, although a background thread has asked for the lock',
    async (verb) => {
      const lock = NamedLock.create();
      const fresh = async () => {
        const holder = start('interrupts/holder', [lock.name]);
        await holder.hear();
        const waits = lock.acquire().then((guard) => guard.release());
        holder.tell('release');
        return { holder, waits };
      };
      let guard: LockGuard | null = null;
      const act = () => {
        if (verb === 'runExclusiveSync') lock.runExclusiveSync(() => stepWithin());
        else guard = verb === 'tryAcquire' ? lock.tryAcquire() : lock.acquireSync();
        guard?.release();
      };
      const counted = await fresh();
      const steps = countSteps(act);
      await counted.waits;
      await counted.holder.succeed();
      for (let step = 0; step < steps; step++) {
        const { holder, waits } = await fresh();
        guard = null;
        interrupt(step, act);
        // The caller that was interrupted may have received the guard.
        (guard as LockGuard | null)?.[Symbol.dispose]();
        if (step % 2 === 0) lock.acquireSync().release();
        await waits;
        await holder.succeed();
      }
      lock.unlink();
      lock.close();
    },
  );

  it.each(['ack', 'giveBack'] as const)(
    'of %s of an item is done when the queue can be closed',
    async (how) => {
      const fresh = () => {
        const queue = SharedQueue.create({ capacity: 1 << 16 });
        queue.putSync('item');
        return { queue, item: queue.takeSync() };
      };
      const counted = fresh();
      const steps = countSteps(() => counted.item[how]());
      counted.queue.unlink();
      counted.queue.close();
      for (let step = 0; step < steps; step++) {
        const { queue, item } = fresh();
        const other = SharedQueue.attach(queue.name);
        interrupt(step, () => item[how]());
        if (step % 2 === 0) await turn();
        try {
          queue.close();
        } catch (error) {
          expect(error).toMatchObject({ code: 'EBUSY' });
          item[how]();
          queue.close();
        }
        const left = other.tryTake();
        const where = `interrupted at step ${step} of ${steps}`;
        expect(left?.value, where).toBe(how === 'ack' ? undefined : 'item');
        left?.ack();
        other.unlink();
        other.close();
      }
    },
  );
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
