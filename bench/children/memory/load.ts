// load <module> [name]: the time to require a module, and to read the export of that name. Loads nothing
// else: otherwise modules that both need would already be loaded for one of them. (`node -e` would not do,
// because it loads many of Node's modules.)
import { createRequire } from 'node:module';

const [name = '', exported = ''] = process.argv.slice(2);
const load = createRequire(__filename);
const start = process.hrtime.bigint();
const loaded = load(name) as Record<string, unknown>;
const had = exported === '' || loaded[exported] !== undefined;
console.log(Number(process.hrtime.bigint() - start));
if (!had) process.exitCode = 1;
