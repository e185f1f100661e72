import { script, type Script, type ScriptUse } from '../wire/script';

/** The version of what the scripts store. Objects of another version are refused. */
export const abi = '1';

/** The channel of a session is this and its id. */
export const channelOf = (session: string): string => `shm:${session}`;

/**
 * What each script of an object begins with. `KEYS[1]` is the object's record. The clock is the server's alone.
 *
 * - `now`: milliseconds, `us`: microseconds. Both are exact in a double.
 * - `tell(token)`: makes a waiter look again. A token is its session's id, a colon, and its number there.
 */
const common = `
local clock = redis.call('TIME')
local us = clock[1] * 1000000 + clock[2]
local now = math.floor(us / 1000)
local function whole(n) return string.format('%.0f', n) end
local function tell(token)
  redis.call('PUBLISH', 'shm:' .. string.match(token, '^[^:]+'), string.match(token, ':(.*)$'))
end
`;

/**
 * The state of the object: `gone` when it does not exist any more. An object that was unlinked stays for those who
 * use it: each use renews the time for which its keys stay. A script that only reads cannot do that. It answers
 * `lingers` and its own answer, and `touch` is to follow.
 */
const record = `
local found = redis.call('HMGET', KEYS[1], 'abi', 'ended', 'lingers')
local gone = not found[1]
if found[2] then return {'ended'} end
if not gone and found[1] ~= '${abi}' then return {'abi', found[1]} end
`;

const linger = `
local reply = main()
if found[3] then
  for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], found[3]) end
end
return reply
`;

const tellLinger = `
local reply = main()
if found[3] then return {'lingers', reply} end
return reply
`;

/**
 * A script of an object, whose keys are all of the object's keys, the record first.
 *
 * @param body - the body of a function that returns the answer: a list that begins with a word.
 */
export function objectScript(name: string, use: ScriptUse, body: string): Script {
  const main = `if gone then return {'gone'} end\nlocal function main()\n${body}\nend\n`;
  const end = use === 'reads' ? tellLinger : linger;
  return script(name, use, common + record + main + end);
}

/** Renews the time for which an object that was unlinked stays. */
export const touch = objectScript('touch', 'frees', "return {'done'}");

/** A script that has to run also where the object is gone, because it gives something back. */
export function lastingScript(name: string, body: string): Script {
  return script(name, 'frees', `${common}${record}local function main()\n${body}\nend\n${linger}`);
}

/** A script that looks at the record only, whatever is there. */
export function plainScript(name: string, use: ScriptUse, body: string): Script {
  return script(name, use, common + body);
}
