// load <module>: how long it takes to require it. Loads nothing else: what both need, one must not
// have got for nothing. (`node -e` would not do: it comes with many of Node's modules loaded.)
import { createRequire } from 'node:module';

const [name = ''] = process.argv.slice(2);
const load = createRequire(__filename);
const start = process.hrtime.bigint();
load(name);
console.log(Number(process.hrtime.bigint() - start));
