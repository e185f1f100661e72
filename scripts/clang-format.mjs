// Formats the C and C++ files. With --check, only lists the files that are not formatted. The formatter
// comes from the npm registry, so that everyone uses the same version.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from '@wasm-fmt/clang-format';

const check = process.argv.includes('--check');
const style = readFileSync('.clang-format', 'utf8');
const files = ['native', path.join('test', 'native')]
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((file) => path.join(folder, file)),
  )
  .filter((file) => /\.(c|cc|h)$/.test(file));
let unformatted = 0;
for (const file of files) {
  const source = readFileSync(file, 'utf8');
  const formatted = format(source, file, style);
  if (formatted === source) continue;
  unformatted++;
  if (check) console.error(`${file} is not formatted; npm run format does it`);
  else writeFileSync(file, formatted);
}
console.log(
  `${files.length} C and C++ files, ${unformatted} ${check ? 'not formatted' : 'formatted anew'}`,
);
if (check && unformatted > 0) process.exit(1);
