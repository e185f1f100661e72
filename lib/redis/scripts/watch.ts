/**
 * Lua functions for those who wait for news of an object: a sorted set of tokens by the moments until which they wait.
 * Who is told is taken off, and stands there again when it looks and has to wait on.
 */
export const watch = `
local function await(set, token, ms)
  redis.call('ZREMRANGEBYSCORE', set, '-inf', whole(now))
  redis.call('ZADD', set, whole(now + ms), token)
end
-- Tells so many of them, or all.
local function announce(set, count)
  local all = redis.call('ZRANGE', set, 0, count and count - 1 or -1)
  for i = 1, #all do
    redis.call('ZREM', set, all[i])
    tell(all[i])
  end
end
`;
