// Scripts that make, find and remove objects. Their first key is the name's record: a hash of `id`, `abi`, `options`.
import { abi, plainScript } from './prelude';

/** Finds an object by its name. Answers `found`, its id and its options; `absent`; `ended`; `abi`. */
export const find = plainScript(
  'find',
  'reads',
  `
local found = redis.call('HMGET', KEYS[1], 'id', 'abi', 'options', 'ended')
if found[4] then return {'ended'} end
if not found[1] then return {'absent'} end
if found[2] ~= '${abi}' then return {'abi', found[2]} end
return {'found', found[1], found[3]}
`,
);

const makeName = `
local found = redis.call('HMGET', KEYS[1], 'id', 'abi', 'options', 'ended')
if found[4] then return {'ended'} end
if found[1] == ARGV[1] then return {'made', found[1], found[3]} end
if found[1] and found[2] ~= '${abi}' then return {'abi', found[2]} end
if found[1] then return {'found', found[1], found[3]} end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'abi', '${abi}', 'options', ARGV[2])
`;

/**
 * Makes an object, unless there is one of the name. Keys: the name's record, and the object's own record. Arguments: the
 * new id, the options, and the fields of the object's record. A repeated request finds its own id.
 */
export const make = plainScript(
  'make',
  'writes',
  `${makeName}
redis.call('HSET', KEYS[2], 'abi', '${abi}')
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
return {'made', ARGV[1], ARGV[2]}
`,
);

/**
 * Makes a lock, unless there is one of the name. Its state belongs to the name: an older lock that was unlinked while it
 * was held has left it, to end some time later. It is the new lock's now, and does not end. Keys: the name's record, the
 * lock's keys. Arguments: as for `make`.
 */
export const makeLock = plainScript(
  'make-lock',
  'writes',
  `${makeName}
for i = 2, #KEYS do redis.call('PERSIST', KEYS[i]) end
return {'made', ARGV[1], ARGV[2]}
`,
);

/** The id in a record, or '' where it cannot be read. */
const idOf = `
local function idOf(key)
  local id = redis.pcall('HGET', key, 'id')
  if type(id) == 'string' then return id end
  return redis.call('EXISTS', key) == 1 and '' or nil
end
`;

/** Finds an object to unlink it, whatever its record is. Answers `found`, its id or ''; `absent`. */
export const identify = plainScript(
  'identify',
  'reads',
  `${idOf}
local id = idOf(KEYS[1])
if not id then return {'absent'} end
return {'found', id}
`,
);

/**
 * Removes the name of an object, whose other keys stay for those who use it. Keys: the name's record, the object's own
 * record, its other keys. Arguments: the id, the milliseconds for which the keys stay unused.
 */
export const unlink = plainScript(
  'unlink',
  'frees',
  `${idOf}
if idOf(KEYS[1]) ~= ARGV[1] then return {'absent'} end
redis.call('DEL', KEYS[1])
-- A key of another type is of no use to anybody.
if type(redis.pcall('HSET', KEYS[2], 'lingers', ARGV[2])) == 'table' then redis.call('DEL', KEYS[2]) end
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
return {'unlinked'}
`,
);

/**
 * Removes the name of a lock. Its state belongs to the name: while it is held, it stays, so that a new lock of the
 * name is not free before. Keys: the name's record, the lock's keys. Arguments as for `unlink`.
 */
export const unlinkLock = plainScript(
  'unlink-lock',
  'frees',
  `${idOf}
if idOf(KEYS[1]) ~= ARGV[1] then return {'absent'} end
redis.call('DEL', KEYS[1])
local ends = redis.pcall('HGET', KEYS[2], 'until')
ends = type(ends) == 'string' and tonumber(ends) or 0
for i = 2, #KEYS do
  if ends > now then redis.call('PEXPIRE', KEYS[i], whole(ends - now + ARGV[2]))
  else redis.call('DEL', KEYS[i]) end
end
return {'unlinked'}
`,
);
