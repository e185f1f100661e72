// Where node-gyp finds Node's headers without a download: in the installation that runs this script, if it
// has them.
import { existsSync } from 'node:fs';
import path from 'node:path';

/** Environment variables for node-gyp. Empty if node-gyp must find the headers by itself. */
export function headersEnvironment() {
  const prefix = path.resolve(process.execPath, '..', '..');
  const local = existsSync(path.join(prefix, 'include', 'node', 'common.gypi'));
  return local ? { npm_config_nodedir: prefix, npm_package_config_node_gyp_nodedir: prefix } : {};
}
