// Which folder of native/ may include which: os includes nothing of Node. core is above os, and binding
// above both.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

const floors = {
  os: [/^[\w.]+$/],
  core: [/^[\w.]+$/, /^\.\.\/os\/[\w.]+$/],
  binding: [/^[\w.]+$/, /^\.\.\/(core|os)\/[\w.]+$/],
};
/** The headers of Node, V8, libuv and node-addon-api. */
const ofNode = /^(node|napi|v8|uv|js_native_api|cppgc)\b|^(node_api|napi-inl|uv\/)/;

let count = 0;
let wrong = 0;
for (const [folder, allowed] of Object.entries(floors)) {
  const directory = path.join('native', folder);
  for (const name of readdirSync(directory)) {
    const file = path.join(directory, name);
    count++;
    readFileSync(file, 'utf8')
      .split('\n')
      .forEach((line, at) => {
        const [, own, system] = /^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)/.exec(line) ?? [];
        const isWrong =
          (own !== undefined && !allowed.some((pattern) => pattern.test(own))) ||
          (system !== undefined && folder !== 'binding' && ofNode.test(system));
        if (!isWrong) return;
        wrong++;
        console.error(`${file}:${at + 1}: native/${folder} may not include ${own ?? system}`);
      });
  }
}
console.log(`${count} native files, ${wrong} includes that go up`);
if (wrong > 0) process.exit(1);
