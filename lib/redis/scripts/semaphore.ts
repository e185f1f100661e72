// The scripts of a semaphore. Keys: the record, the queue, the waiters, the holders, the used, the order. The record has:
//
//   pool      the number of permits that have holders, or may have: they come back when a holder's lease ends
//   loose     the number of permits that were added: they are used up by who takes them
//   max       the maximum number of permits, or nothing
//   fence     that of the last grant
//
// The holders are a sorted set of tokens by the ends of their leases. The used are tokens that have used up a loose
// permit, by the moments until which they are remembered: a request that is repeated takes no second one, and one that
// nobody waits for any more gives its own back. Whoever has got the answer says so with its next request. The order is a
// sorted set of the holders by their fences: who came last gives back first. Invariants:
//
// - P1  value = pool - holders that live + loose.
// - P2  Of the permits that are there, the first waiters have one each. Others can take what is left.
import { lastingScript, objectScript } from './prelude';
import { turns } from './turns';

const head = `
local S, Q, W, H, U, T = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
${turns}
-- Longer than a process may be cut off and still wait.
local rememberedMs = 86400000
local state = redis.call('HMGET', S, 'pool', 'loose', 'max', 'fence')
local pool, loose, max = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
local function free() return pool - redis.call('ZCARD', H) end
local function takeBack(token)
  redis.call('ZREM', T, token)
  return redis.call('ZREM', H, token)
end
-- Permits whose holders are dead come back.
local function reap(ms)
  local dead = redis.call('ZRANGEBYSCORE', H, '-inf', whole(now))
  for i = 1, #dead do takeBack(dead[i]) end
  if #dead > 0 then wake(free() + loose, ms) end
end
`;

/**
 * Arguments: token, lease, how long a waiter lives, `wait` or `try`, how long the next has to come, tokens that need
 * not be remembered any more. Answers `held` or `loose`, fence; `waits`, look; `taken`.
 */
export const acquirePermit = objectScript(
  'acquire-permit',
  'writes',
  `${head}
local token, lease, come = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5])
local function granted(how)
  local fence = us
  local last = tonumber(state[4] or '0')
  if fence <= last then fence = last + 1 end
  redis.call('HSET', S, 'fence', whole(fence))
  return {how, whole(fence)}
end
if redis.call('ZSCORE', H, token) then
  redis.call('ZADD', H, whole(now + lease), token)
  return granted('held')
end
redis.call('ZREMRANGEBYSCORE', U, '-inf', whole(now))
for i = 6, #ARGV do redis.call('ZREM', U, ARGV[i]) end
if redis.call('ZSCORE', U, token) then return granted('loose') end
reap(come)
prune(free() + loose)
local before = redis.call('ZRANK', Q, token) or redis.call('ZCARD', Q)
local left = free()
if left + loose > before then
  drop(token)
  if left > 0 then
    redis.call('ZADD', H, whole(now + lease), token)
    local grant = granted('held')
    redis.call('ZADD', T, grant[2], token)
    return grant
  end
  redis.call('HINCRBY', S, 'loose', -1)
  redis.call('ZADD', U, whole(now + rememberedMs), token)
  return granted('loose')
end
if ARGV[4] == 'try' then return {'taken'} end
local look = stand(token, tonumber(ARGV[3]))
if before == 0 then
  local first = redis.call('ZRANGE', H, 0, 0, 'WITHSCORES')
  if first[2] and first[2] - now + 1 < look then look = math.ceil(first[2] - now + 1) end
end
return {'waits', look}
`,
);

/** Arguments: token, lease. Answers `renewed` or `lost`. */
export const renewPermit = lastingScript(
  'renew-permit',
  `
if not redis.call('ZSCORE', KEYS[4], ARGV[1]) then return {'lost'} end
redis.call('ZADD', KEYS[4], 'XX', whole(now + ARGV[2]), ARGV[1])
return {'renewed'}
`,
);

/** Gives back the permit of a token. Arguments: token, how long the next has to come. Answers `released` or `none`. */
export const releasePermit = lastingScript(
  'release-permit',
  `${head}
local token = ARGV[1]
local came = takeBack(token)
if not gone and redis.call('ZREM', U, token) == 1 then
  loose = redis.call('HINCRBY', S, 'loose', 1)
  came = 1
end
drop(token)
if not gone then wake(free() + loose, tonumber(ARGV[2])) end
if came == 1 then return {'released'} end
return {'none'}
`,
);

/**
 * Gives permits back. Arguments: how many, how long the next has to come, the tokens of own permits that are given back
 * first. Then permits of others are given back, those that were taken last first; and then new ones are added. Answers
 * `released`; `most`, value, when there would be too many.
 */
export const releasePermits = objectScript(
  'release-permits',
  'frees',
  `${head}
local count, come = tonumber(ARGV[1]), tonumber(ARGV[2])
reap(come)
local value = free() + loose
if max and value + count > max then return {'most', value} end
for i = 3, #ARGV do
  if count > 0 and takeBack(ARGV[i]) == 1 then count = count - 1 end
end
if count > 0 then
  local others = redis.call('ZRANGE', T, 0, count - 1, 'REV')
  for i = 1, #others do takeBack(others[i]) end
  count = count - #others
end
if count > 0 then loose = redis.call('HINCRBY', S, 'loose', count) end
wake(free() + loose, come)
return {'released'}
`,
);

/** Adds one permit, whoever holds others. Arguments: how long the next has to come. Answers as `releasePermits`. */
export const addPermit = objectScript(
  'add-permit',
  'frees',
  `${head}
reap(tonumber(ARGV[1]))
local value = free() + loose
if max and value + 1 > max then return {'most', value} end
loose = redis.call('HINCRBY', S, 'loose', 1)
wake(free() + loose, tonumber(ARGV[1]))
return {'released'}
`,
);

/** Answers `is`, value. */
export const readSemaphore = objectScript(
  'read-semaphore',
  'reads',
  `
local state = redis.call('HMGET', KEYS[1], 'pool', 'loose')
return {'is', state[1] + state[2] - redis.call('ZCOUNT', KEYS[4], '(' .. whole(now), '+inf')}
`,
);
