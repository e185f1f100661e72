// The scripts of a manager. Keys: the name's record, the participants, the objects. The record is as that of any object,
// and has `owner`, the token of who has created it, or nothing where all participants own it. Participants are a sorted
// set of tokens by the ends of their leases; objects are a set of texts that name them. Invariants:
//
// - M1  A manager is dead when no participant's lease lasts, or its owner's does not. Whoever comes next removes what it
//       has left.
// - M2  An object is noted before it is made. So what a participant that dies has made is removed with the manager.
import { abi, lastingScript, plainScript } from './prelude';

const head = `
local N, P, O = KEYS[1], KEYS[2], KEYS[3]
local owner = redis.call('HGET', N, 'owner')
local function lives()
  redis.call('ZREMRANGEBYSCORE', P, '-inf', whole(now))
  if owner then return redis.call('ZSCORE', P, owner) end
  return redis.call('ZCARD', P) > 0
end
-- It is over for all. Returns its objects, which have to be ended one by one.
local function finish()
  local all = redis.call('ZRANGE', P, 0, -1)
  redis.call('DEL', N, P)
  for i = 1, #all do tell(all[i]) end
  return redis.call('SMEMBERS', O)
end
`;

/**
 * Takes part in a manager. Arguments: `create`, `open` or `attach`, the id of a new one, its options, whether the
 * creator owns it, token, lease. Answers `made` or `joined`, id, options, the owner's token; `exists`; `absent`;
 * `dead`, objects, when it was dead: what it has left is to be removed, and the request to be made again.
 */
export const joinManager = plainScript(
  'join-manager',
  'writes',
  `${head}
local mode, id, options, owned, token, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local found = redis.call('HMGET', N, 'id', 'abi', 'options')
if found[1] and found[2] ~= '${abi}' then return {'abi', found[2]} end
-- Who takes part and is late may do so still, unless somebody else has come by; but nobody does without the owner.
local isOurs = redis.call('ZSCORE', P, token) and (not owner or owner == token)
if found[1] and not isOurs and not lives() then return {'dead', finish()} end
if found[1] then
  if mode == 'create' and found[1] ~= id then return {'exists'} end
  redis.call('ZADD', P, whole(now + lease), token)
  return {found[1] == id and 'made' or 'joined', found[1], found[3], owner or ''}
end
-- Whoever has ended it may have died before it had removed all objects.
local left = redis.call('SMEMBERS', O)
if #left > 0 then return {'dead', left} end
if mode == 'attach' then return {'absent'} end
redis.call('HSET', N, 'id', id, 'abi', '${abi}', 'options', options)
if owned == '1' then redis.call('HSET', N, 'owner', token) end
redis.call('ZADD', P, whole(now + lease), token)
return {'made', id, options, owned == '1' and token or ''}
`,
);

/**
 * Arguments: token, lease. Answers `renewed` or `lost`. So those who take part in a manager whose owner has died look at it,
 * and find it dead.
 */
export const renewParticipant = lastingScript(
  'renew-participant',
  `
if gone or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return {'lost'} end
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then
  local ends = redis.call('ZSCORE', KEYS[2], owner)
  if not ends or tonumber(ends) <= now then return {'lost'} end
end
redis.call('ZADD', KEYS[2], whole(now + ARGV[2]), ARGV[1])
return {'renewed'}
`,
);

/** Notes an object that is about to be made. Arguments: the manager's id, the object. Answers `noted` or `over`. */
export const noteObject = plainScript(
  'note-object',
  'writes',
  `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {'over'} end
redis.call('SADD', KEYS[3], ARGV[2])
return {'noted'}
`,
);

/** Whether the manager of that id is there. Arguments: id. Answers `yes` or `no`. */
export const isManaged = plainScript(
  'is-managed',
  'reads',
  `
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then return {'yes'} end
return {'no'}
`,
);

/**
 * Leaves a manager. Arguments: id, token, `shutdown` to end it, or `leave`. It ends with its last participant, or with
 * its owner. Answers `left`; `ended`, objects; `over`, objects, where it has ended before: they are still to be removed.
 */
export const leaveManager = plainScript(
  'leave-manager',
  'frees',
  `${head}
local id = redis.call('HGET', N, 'id')
if not id then return {'over', redis.call('SMEMBERS', O)} end
if id ~= ARGV[1] then return {'over', {}} end
redis.call('ZREM', P, ARGV[2])
if ARGV[3] == 'shutdown' or not lives() then return {'ended', finish()} end
return {'left'}
`,
);

/**
 * Ends an object of a manager that has ended. Keys: the object's keys, its record first, and the record of its name,
 * which may belong to another object by now. Arguments: how long its record stays, which tells those who use the object
 * of its end; its id.
 */
export const endObject = plainScript(
  'end-object',
  'frees',
  `
redis.call('DEL', unpack(KEYS, 1, #KEYS - 1))
redis.call('HSET', KEYS[1], 'ended', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
if redis.call('HGET', KEYS[#KEYS], 'id') == ARGV[2] then redis.call('DEL', KEYS[#KEYS]) end
return {'done'}
`,
);

/**
 * Ends a lock of a manager that has ended: all of its keys belong to the name, which may be used again. Arguments: its
 * id. Answers `done`; `other` where there is another lock of the name by now, or none.
 */
export const endLock = plainScript(
  'end-lock',
  'frees',
  `
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {'other'} end
redis.call('DEL', unpack(KEYS))
return {'done'}
`,
);

/** Forgets an object that was ended. Arguments: the object. */
export const forgetObject = plainScript(
  'forget-object',
  'frees',
  `
redis.call('SREM', KEYS[3], ARGV[1])
return {'done'}
`,
);
