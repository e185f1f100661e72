// Copies of the package in other directories, as if it were installed several times.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Copies that are removed together. */
export class Copies {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'shmkit-copies-'));

  /**
   * Makes a copy.
   *
   * @param edit - changes the code of a file, whose name is given without `.js`.
   * @returns the directory of its files.
   */
  make(edit: (code: string, file: string) => string = (code) => code): string {
    const there = mkdtempSync(path.join(this.#folder, 'copy-'));
    const dist = path.join(there, 'dist');
    mkdirSync(dist);
    for (const file of readdirSync('dist').filter((each) => /\.m?js$/.test(each))) {
      const code = readFileSync(path.join('dist', file), 'utf8');
      writeFileSync(path.join(dist, file), edit(code, path.basename(file, '.js')));
    }
    cpSync('package.json', path.join(there, 'package.json'));
    for (const each of ['node_modules', 'build', 'prebuilds'])
      symlinkSync(path.resolve(each), path.join(there, each), 'junction');
    return dist;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
