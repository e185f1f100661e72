// load <module> [name]: how long it takes to require it, and to have what it exports by that name.
// Loads nothing else: what both need, one must not have got for nothing. (`node -e` would not do: it comes with many of Node's modules loaded.)
import { createRequire } from 'node:module';

const [name = '', exported = ''] = process.argv.slice(2);
const load = createRequire(__filename);
const start = process.hrtime.bigint();
const loaded = load(name) as Record<string, unknown>;
const had = exported === '' || loaded[exported] !== undefined;
console.log(Number(process.hrtime.bigint() - start));
if (!had) process.exitCode = 1;
