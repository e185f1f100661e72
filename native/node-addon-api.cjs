// Prints where the headers of node-addon-api are: installed for this package, or beside the node-gyp
// that runs this, as `npx --package=node-gyp --package=node-addon-api` has it.
const path = require('node:path');

const beside = (process.env.PATH ?? process.env.Path ?? '')
  .split(path.delimiter)
  .filter((folder) => path.basename(folder) === '.bin')
  .map((folder) => path.dirname(path.dirname(folder)));
const found = require.resolve('node-addon-api', { paths: [__dirname, ...beside] });
console.log(require(found).include_dir);
