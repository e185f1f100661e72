// The scripts of a read-write lock. Keys: the record, the queue, the waiters, the readers that hold it, the writers that
// wait. The record has `owner`, `until`, `news` and `fence` of the writer that holds it, and `abandoned`. The readers are
// a sorted set of tokens by the ends of their leases; the writers that wait are in the queue, too, with the same turns.
// Invariants:
//
// - R1  A writer is let in when nobody holds the lock, and nobody who lives has waited before it.
// - R2  A reader is let in when no writer holds the lock, and no writer who lives has waited before it.
// - R3  After a writer's lease has ended, all readers are told so, and then one writer.
import { lastingScript, objectScript } from './prelude';
import { turns } from './turns';

const head = `
local S, Q, W, H, V = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
${turns}
local function firstWriter()
  while true do
    local first = redis.call('ZRANGE', V, 0, 0)[1]
    if not first then return nil end
    if not dead(first) then return first end
    redis.call('ZREM', V, first)
  end
end
-- Tells those who can be let in now.
local function wakeNext(ms)
  if redis.call('HEXISTS', S, 'owner') == 1 then return end
  local first = head()
  if not first then return end
  local writer = firstWriter()
  if writer == first then
    if redis.call('ZCARD', H) == 0 then wake(1, ms) end
  else
    -- The readers before the first writer. The dead among them do not count.
    local function readers() return writer and redis.call('ZRANK', Q, writer) or redis.call('ZCARD', Q) end
    prune(readers())
    wake(readers(), ms)
  end
end
local function reap(ms)
  local writer = redis.call('HMGET', S, 'owner', 'until')
  local isFreed = redis.call('ZREMRANGEBYSCORE', H, '-inf', whole(now)) > 0
  if writer[1] and tonumber(writer[2]) <= now then
    redis.call('HDEL', S, 'owner', 'until', 'news')
    redis.call('HSET', S, 'abandoned', '1')
    isFreed = true
  end
  if isFreed then wakeNext(ms) end
end
`;

/**
 * Arguments: token, lease, how long a waiter lives, `wait` or `try`, how long the next has to come, `read` or `write`.
 * Answers `held`, fence, news; `waits`, look; `taken`.
 */
export const acquireRW = objectScript(
  'acquire-rw',
  'writes',
  `${head}
local token, lease, come, mode = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[5]), ARGV[6]
local own = redis.call('HMGET', S, 'owner', 'fence', 'news')
if own[1] == token then
  redis.call('HSET', S, 'until', whole(now + lease))
  return {'held', own[2], own[3]}
end
reap(come)
local state = redis.call('HMGET', S, 'owner', 'until', 'abandoned', 'fence')
local abandoned, last = state[3] or '0', tonumber(state[4] or '0')
if redis.call('ZSCORE', H, token) then
  redis.call('ZADD', H, whole(now + lease), token)
  return {'held', whole(last), abandoned}
end
local isIn
if mode == 'write' then
  local first = head()
  isIn = not state[1] and redis.call('ZCARD', H) == 0 and (not first or first == token)
else
  local writer = firstWriter()
  local turn = redis.call('ZSCORE', Q, token)
  isIn = not state[1] and (not writer or (turn and tonumber(turn) < tonumber(redis.call('ZSCORE', V, writer))))
end
if isIn then
  drop(token)
  redis.call('ZREM', V, token)
  if mode == 'read' then
    redis.call('ZADD', H, whole(now + lease), token)
    return {'held', whole(last), abandoned}
  end
  local fence = us
  if fence <= last then fence = last + 1 end
  redis.call('HSET', S, 'owner', token, 'until', whole(now + lease), 'fence', whole(fence), 'news', abandoned, 'abandoned', '0')
  return {'held', whole(fence), abandoned}
end
if ARGV[4] == 'try' then return {'taken'} end
local look = stand(token, tonumber(ARGV[3]))
if mode == 'write' then redis.call('ZADD', V, redis.call('ZSCORE', Q, token), token) end
-- Whoever comes first looks when a lease ends. It then tells the others.
if redis.call('ZRANGE', Q, 0, 0)[1] == token then
  local ends = tonumber(state[2]) or tonumber(redis.call('ZRANGE', H, 0, 0, 'WITHSCORES')[2])
  if ends and ends - now + 1 < look then look = math.ceil(ends - now + 1) end
end
return {'waits', look}
`,
);

/** Arguments: token, lease. Answers `renewed` or `lost`. */
export const renewRW = lastingScript(
  'renew-rw',
  `
if gone then return {'lost'} end
local ends = whole(now + ARGV[2])
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'until', ends)
elseif redis.call('ZSCORE', KEYS[4], ARGV[1]) then
  redis.call('ZADD', KEYS[4], 'XX', ends, ARGV[1])
else
  return {'lost'}
end
return {'renewed'}
`,
);

/** Arguments: token, how long the next has to come, `release` or `withdraw`. Answers `released` or `none`. */
export const releaseRW = lastingScript(
  'release-rw',
  `${head}
if gone then return {'none'} end
local token = ARGV[1]
local state = redis.call('HMGET', S, 'owner', 'news')
local came = redis.call('ZREM', H, token)
if state[1] == token then
  came = 1
  redis.call('HDEL', S, 'owner', 'until', 'news')
  if ARGV[3] == 'withdraw' and state[2] == '1' then redis.call('HSET', S, 'abandoned', '1') end
end
drop(token)
redis.call('ZREM', V, token)
wakeNext(tonumber(ARGV[2]))
if came == 1 then return {'released'} end
return {'none'}
`,
);

/** Answers `is`, how many readers hold it, whether a writer does as 1 or 0. */
export const readRW = objectScript(
  'read-rw',
  'reads',
  `
local state = redis.call('HMGET', KEYS[1], 'owner', 'until')
local isWriting = state[1] and tonumber(state[2]) > now
return {'is', redis.call('ZCOUNT', KEYS[4], '(' .. whole(now), '+inf'), isWriting and 1 or 0}
`,
);
