// Where node-gyp finds Node's headers without a download: in the installation that runs this, when
// it has them.
import { existsSync } from 'node:fs';
import path from 'node:path';

/** What node-gyp is told by its environment; empty where it must help itself. */
export function headersEnvironment() {
  const prefix = path.resolve(process.execPath, '..', '..');
  const local = existsSync(path.join(prefix, 'include', 'node', 'common.gypi'));
  return local ? { npm_config_nodedir: prefix, npm_package_config_node_gyp_nodedir: prefix } : {};
}
