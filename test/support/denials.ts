// Processes for which the kernel refuses certain system calls: test/native/denying.c.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { onLinux } from './system';

const compiler = process.env.CC ?? 'cc';
const program = path.resolve('out', 'denying');

/** The reason why no system calls can be refused here, or undefined when they can. */
export const whyNoDenials = ((): string | undefined => {
  if (!onLinux) return 'needs Linux: a filter of system calls';
  if (spawnSync(compiler, ['--version']).status !== 0) return `needs a C compiler: ${compiler}`;
  mkdirSync(path.dirname(program), { recursive: true });
  const flags = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'];
  const { status, stderr } = spawnSync(
    compiler,
    [...flags, '-o', program, 'test/native/denying.c'],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${compiler} failed\n${stderr}`);
  if (spawnSync(program, ['link:kill', '--', '/bin/true']).status !== 0)
    return 'the system takes no filter of system calls';
  return undefined;
})();

/**
 * The program and arguments under which a program must be started, so that the kernel refuses it these
 * calls.
 */
export function denying(...rules: string[]): string[] {
  return [program, ...rules, '--'];
}
