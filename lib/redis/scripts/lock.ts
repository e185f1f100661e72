// The scripts of a lock. Keys: the object's record, the lock's state, its queue, its waiters, and whatever other keys
// the object has. The state is a hash:
//
//   owner, until   the token of who holds it, and the end of its lease
//   fence          that of the last grant
//   news           whether the owner was told that the lock was abandoned
//   abandoned      whether the next owner is to be told so
//   lapsed         the token of the last owner whose lease has ended
//   turn           counts those who have waited
//
// Invariants:
//
// - K1  Only the request of a token grants the lock to it. So its lease begins after that request was sent.
// - K2  A grant needs that there is no owner, or that the lease of the owner has ended; and that nobody who stands in
//       the queue, and lives, was there before.
// - K3  A fence is greater than all before. It is the server's clock, unless that was set back.
import { lastingScript, objectScript } from './prelude';
import { turns } from './turns';

const head = `
local S, Q, W = KEYS[2], KEYS[3], KEYS[4]
${turns}
`;

/** Arguments: token, lease, how long a waiter lives, `wait` or `try`. Answers `held`, fence, news; `waits`, look; `taken`. */
export const acquireLock = objectScript(
  'acquire-lock',
  'writes',
  `${head}
local token, lease = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HMGET', S, 'owner', 'until', 'fence', 'news', 'abandoned')
local owner, ends, abandoned = state[1], tonumber(state[2]), state[5] or '0'
if owner == token then
  -- It was granted to this request before, whose answer was lost.
  redis.call('HSET', S, 'until', whole(now + lease))
  return {'held', state[3], state[4]}
end
if owner and ends <= now then
  redis.call('HDEL', S, 'owner', 'until')
  redis.call('HSET', S, 'abandoned', '1', 'lapsed', owner)
  owner, abandoned = nil, '1'
end
if not owner then
  local first = head()
  if not first or first == token then
    local fence = us
    local last = tonumber(state[3] or '0')
    if fence <= last then fence = last + 1 end
    drop(token)
    redis.call('HSET', S, 'owner', token, 'until', whole(now + lease), 'fence', whole(fence), 'news', abandoned, 'abandoned', '0')
    return {'held', whole(fence), abandoned}
  end
  wake(1, tonumber(ARGV[3]))
end
if ARGV[4] == 'try' then return {'taken'} end
local look = stand(token, tonumber(ARGV[3]))
if owner and redis.call('ZRANGE', Q, 0, 0)[1] == token and ends - now + 1 < look then look = ends - now + 1 end
return {'waits', look}
`,
);

/** Arguments: token, lease. Answers `renewed` or `lost`. */
export const renewLock = lastingScript(
  'renew-lock',
  `
local S = KEYS[2]
if redis.call('HGET', S, 'owner') ~= ARGV[1] then return {'lost'} end
redis.call('HSET', S, 'until', whole(now + ARGV[2]))
if gone then redis.call('PEXPIRE', S, whole(10 * ARGV[2])) end
return {'renewed'}
`,
);

/**
 * Arguments: token, how long the next has to come, `release` or `withdraw`. A waiter that withdraws may have been
 * granted the lock without knowing. Answers `released`; `lapsed` when the lease had ended; `none`.
 */
export const releaseLock = lastingScript(
  'release-lock',
  `${head}
local token = ARGV[1]
local state = redis.call('HMGET', S, 'owner', 'news', 'lapsed')
if state[1] == token then
  redis.call('HDEL', S, 'owner', 'until', 'news')
  if ARGV[3] == 'withdraw' and state[2] == '1' then redis.call('HSET', S, 'abandoned', '1') end
  wake(1, tonumber(ARGV[2]))
  if gone then redis.call('DEL', S) end
  return {'released'}
end
drop(token)
-- It may have been the one who was told that the lock is free.
if not state[1] then wake(1, tonumber(ARGV[2])) end
if state[3] == token then return {'lapsed'} end
return {'none'}
`,
);

/** Answers `yes` while somebody holds it, or `no`. */
export const isLocked = objectScript(
  'is-locked',
  'reads',
  `
local state = redis.call('HMGET', KEYS[2], 'owner', 'until')
if state[1] and tonumber(state[2]) > now then return {'yes'} end
return {'no'}
`,
);
