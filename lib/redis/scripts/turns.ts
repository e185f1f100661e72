/**
 * Lua functions for those who wait in turn. `Q` is a sorted set of tokens by their turns, `W` a hash of the moments
 * until which they wait: a waiter that has not looked by then is dead, and is dropped when its turn comes.
 *
 * Nothing is handed over to a waiter. It is told that it may take what it waits for, and nobody goes ahead of it. So
 * what was freed is not lost with a waiter that has died.
 */
export const turns = `
local function dead(token)
  local ends = tonumber(redis.call('HGET', W, token))
  return not ends or ends <= now
end
local function drop(token)
  redis.call('ZREM', Q, token)
  redis.call('HDEL', W, token)
end
local function head()
  while true do
    local first = redis.call('ZRANGE', Q, 0, 0)[1]
    if not first then return nil end
    if not dead(first) then return first end
    drop(first)
  end
end
-- Drops the dead, until so many at the front live.
local function prune(count)
  local at = 0
  while at < count do
    local token = redis.call('ZRANGE', Q, at, at)[1]
    if not token then return end
    if dead(token) then drop(token) else at = at + 1 end
  end
end
-- Tells the first waiters, and gives each of them so many milliseconds to come.
local function wake(count, ms)
  if count < 1 then return end
  prune(count)
  local first = redis.call('ZRANGE', Q, 0, count - 1)
  for i = 1, #first do
    local ends = tonumber(redis.call('HGET', W, first[i]) or '0')
    if ends > now + ms then redis.call('HSET', W, first[i], whole(now + ms)) end
    tell(first[i])
  end
end
-- Lets a waiter stand in the queue for so many milliseconds more. Returns after how many it has to look again.
local function stand(token, ms)
  if not redis.call('ZSCORE', Q, token) then
    redis.call('ZADD', Q, redis.call('HINCRBY', S, 'turn', 1), token)
  end
  redis.call('HSET', W, token, whole(now + ms))
  local look = ms / 3
  local first = redis.call('ZRANGE', Q, 0, 1)
  if first[2] == token then
    local ends = tonumber(redis.call('HGET', W, first[1]) or '0') - now + 5
    if ends < look then look = ends end
  end
  if look < 1 then look = 1 end
  return math.ceil(look)
end
`;
