// Ends a test file that hangs where its own time limits cannot end it: a thread that is blocked in a call
// runs no timers. It runs in vitest's own process, which is informed of each test. So no part of it is in
// the processes under test.
import { readFileSync, readdirSync, writeSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Longer than a test and its hooks, one after the other, may take by vitest's own limits. */
const silenceMs = 420_000;

export default class Watchdog implements Reporter {
  #timer: NodeJS.Timeout | undefined;
  #last = 'nothing';

  onTestModuleStart(file: TestModule): void {
    this.#hear(file.relativeModuleId);
  }

  onTestCaseReady(test: TestCase): void {
    this.#hear(`${test.module.relativeModuleId} > ${test.fullName}`);
  }

  onTestCaseResult(test: TestCase): void {
    this.#hear(`${test.module.relativeModuleId} > ${test.fullName}, which ended`);
  }

  onTestModuleEnd(file: TestModule): void {
    this.#hear(`${file.relativeModuleId}, which ended`);
  }

  onTestRunEnd(): void {
    clearTimeout(this.#timer);
  }

  #hear(what: string): void {
    this.#last = what;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#bark(), silenceMs);
    this.#timer.unref();
  }

  #bark(): void {
    const lines = [`no news for ${silenceMs / 1000} s; the last was of ${this.#last}`];
    const all = descendants(process.pid);
    for (const pid of all) lines.push(...account(pid));
    writeSync(2, `\n${lines.join('\n')}\n`);
    for (const pid of all) end(pid);
    this.#hear(`${this.#last}, killed`);
  }
}

/** All processes below a process, the deepest first, where the system provides this. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim();
      for (const child of children.split(' ').filter(Boolean)) {
        found.push(...descendants(Number(child)), Number(child));
      }
    }
  } catch {
    // The process has ended meanwhile.
  }
  return found;
}

/** Describes a process, and where its threads sleep. */
function account(pid: number): string[] {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    const threads = readdirSync(`/proc/${pid}/task`).map((task) => {
      const name = readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
      const sleepsIn = readFileSync(`/proc/${pid}/task/${task}/wchan`, 'utf8');
      const call = readFileSync(`/proc/${pid}/task/${task}/syscall`, 'utf8').trim();
      return `  ${task} ${name}: ${sleepsIn}, ${call}`;
    });
    return [`${pid}: ${command}`, ...threads];
  } catch (error) {
    return [`${pid}: ${String(error)}`];
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // The process has ended meanwhile.
  }
}
