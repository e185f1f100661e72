import { createHash } from 'node:crypto';

/** A Lua script that the server runs as one step. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

/** What a script needs of the server. */
export type ScriptUse =
  /** It only reads. */
  | 'reads'
  /** It may need memory, and is refused as a whole where there is none. */
  | 'writes'
  /** It needs hardly any memory, and has to run even where there is none left: it gives something back. */
  | 'frees';

// Without a flag, a script that begins with `#!lua` is refused at its start when there is no memory, so it is
// executed as a whole or not at all. A plain script would be refused in its middle.
const heads: Record<ScriptUse, string> = {
  reads: '#!lua flags=no-writes',
  writes: '#!lua',
  frees: '#!lua flags=allow-oom',
};

export function script(name: string, use: ScriptUse, body: string): Script {
  const text = `${heads[use]}\n${body}`;
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}
