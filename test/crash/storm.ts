// Starts fighters and kills them at random moments, several at a time. The others must all make progress,
// each of them, and so must the fighters that replace the dead ones.
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SharedMemory } from 'shmkit';
import { expect } from 'vitest';
import { Arena, arenaBytes, Place } from '../fixtures/storm/arena';
import { start, type Child } from '../support/children';
import { mostKills } from '../support/system';

/** How many rounds each fighter, also a new one, must complete between kills. */
const leastRounds = 3;

/** How many fighters are killed at a time, at most. */
const mostVictims = 3;

/** A limit for hangs: no wait is expected to come near it. */
const watchdogMilliseconds = 30_000;

export interface StormOptions {
  /** The fixture that the fighters run. */
  readonly fixture: string;
  /** The name of the existing object that they fight for, and of the segment that they share. */
  readonly name: string;
  readonly fighters: number;
  readonly kills: number;
  /**
   * What some kills must hit. The keys are the messages for the case that none did. A few kills may miss
   * it, but many do not. So the storm continues until everything is hit, or until it has killed ten times
   * as many as {@link kills}.
   */
  readonly hits: Readonly<Record<string, (toll: Toll) => number>>;
}

/** What the killed fighters were doing. */
export interface Toll {
  readonly arena: Arena;
  readonly kills: number;
  readonly inside: number;
  readonly waiting: number;
}

/** Runs a storm. When the last fighter is dead, hands what is left to `afterwards`. */
export async function storm(
  options: StormOptions,
  afterwards: (toll: Toll) => void | Promise<void>,
): Promise<void> {
  using memory = SharedMemory.create({ name: options.name, size: arenaBytes });
  try {
    const arena = new Arena(memory);
    arena.fighters = options.fighters;
    const crew = new Crew(options, arena);
    const missed = (toll: Toll) =>
      Object.keys(options.hits).filter((what) => options.hits[what]!(toll) === 0);
    for (let slot = 0; slot < options.fighters; slot++) crew.enlist(slot);
    await crew.goOn([]);
    const wanted = Math.min(options.kills, mostKills);
    while (
      crew.kills < wanted ||
      (missed(crew.toll).length > 0 && crew.kills < 10 * options.kills)
    ) {
      const until = performance.now() + 5 * Math.random();
      while (performance.now() < until);
      const victims = crew.draw(randomInt(1, mostVictims + 1));
      await crew.kill(victims);
      for (const slot of victims) crew.enlist(slot);
      await crew.goOn(victims);
    }
    await crew.kill(pick(options.fighters, options.fighters));
    const { kills, inside, waiting } = crew.toll;
    console.log(
      `${options.fixture}: ${kills} kills, ${inside} inside, ${waiting} waiting; ` +
        `${crew.rounds} rounds, ${arena.abandoned} told; ` +
        `the others went on within ${crew.median.toFixed(1)} ms half the time, ` +
        `${crew.longest.toFixed()} at most`,
    );
    expect(missed(crew.toll), 'what no kill hit').toEqual([]);
    await afterwards(crew.toll);
  } finally {
    memory.unlink();
  }
}

/** The fighters, as the test sees them. */
class Crew {
  kills = 0;
  /** How many of the killed fighters were at each place. */
  readonly #places = [0, 0, 0];
  readonly #options: StormOptions;
  readonly #arena: Arena;
  readonly #members: Child[] = [];
  readonly #doomed = new Set<Child>();
  readonly #pauses: number[] = [];
  #lives = 0;
  #failure: Error | undefined;

  constructor(options: StormOptions, arena: Arena) {
    this.#options = options;
    this.#arena = arena;
  }

  get toll(): Toll {
    const [inside, waiting] = [this.#places[Place.inside]!, this.#places[Place.waiting]!];
    return { arena: this.#arena, kills: this.kills, inside, waiting };
  }

  get rounds(): number {
    return this.#progress().reduce((sum, rounds) => sum + rounds, 0);
  }

  get longest(): number {
    return Math.max(...this.#pauses);
  }

  get median(): number {
    return [...this.#pauses].sort((a, b) => a - b)[this.#pauses.length >> 1]!;
  }

  enlist(slot: number): void {
    const { fixture, name } = this.#options;
    const child = start(fixture, [name, slot, this.#lives++]);
    this.#members[slot] = child;
    child.succeed().then(
      () => (this.#failure ??= new Error(`fighter ${slot} ended`)),
      (error: unknown) => {
        if (!this.#doomed.has(child)) this.#failure ??= error as Error;
      },
    );
  }

  /** Draws some at random. Every other time, one of them is a fighter that is inside at this moment. */
  draw(count: number): number[] {
    const slots = pick(count, this.#options.fighters);
    const until = performance.now() + 50 * randomInt(2);
    while (performance.now() < until) {
      const inside = this.#members.findIndex((_, at) => this.#arena.placeOf(at) === Place.inside);
      if (inside >= 0) return [inside, ...slots.filter((slot) => slot !== inside)].slice(0, count);
    }
    return slots;
  }

  async kill(slots: readonly number[]): Promise<void> {
    this.#arena.beginKills();
    await Promise.all(
      slots.map(async (slot) => {
        const victim = this.#members[slot]!;
        this.#doomed.add(victim);
        const { signal } = await victim.kill();
        if (signal !== 'SIGKILL') await victim.succeed(); // it had failed before
      }),
    );
    for (const slot of slots) this.#places[this.#arena.placeOf(slot)]!++;
    this.#arena.endKills(slots);
    this.kills += slots.length;
  }

  /** Resolves when each fighter, also a new one, has completed rounds since now. */
  async goOn(fresh: readonly number[]): Promise<void> {
    const before = this.#progress();
    const start = performance.now();
    const isStuck = (rounds: number, slot: number) => rounds < before[slot]! + leastRounds;
    let pause: number | undefined;
    for (;;) {
      if (this.#failure) throw this.#failure;
      const stuck = this.#progress().flatMap((rounds, slot) => (isStuck(rounds, slot) ? slot : []));
      if (pause === undefined && stuck.every((slot) => fresh.includes(slot))) {
        pause = performance.now() - start;
        if (fresh.length > 0) this.#pauses.push(pause);
      }
      if (stuck.length === 0) return;
      if (performance.now() - start > watchdogMilliseconds) throw this.#error(stuck);
      await delay(1);
    }
  }

  #progress(): number[] {
    return this.#members.map((_, slot) => this.#arena.progressOf(slot));
  }

  #error(stuck: readonly number[]): Error {
    const words = ['elsewhere', 'waiting', 'inside'];
    const all = this.#members.map(({ process: { pid } }, slot) => {
      const place = words[this.#arena.placeOf(slot)];
      return `${slot} (${pid}) ${stuck.includes(slot) ? 'is stuck' : 'goes on'} ${place}`;
    });
    return new Error(`after ${this.kills} kills: ${all.join(', ')}`);
  }
}

function pick(count: number, of: number): number[] {
  const slots = Array.from({ length: of }, (_, slot) => slot);
  return Array.from({ length: count }, () => slots.splice(randomInt(slots.length), 1)[0]!);
}
