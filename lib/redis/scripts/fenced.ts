/**
 * A Lua function that refuses a change by an older holder of a lock. `F` is a hash of the highest fence that was seen,
 * by the lock's name.
 */
export const fenced = `
local function isFenced(name, fence)
  if name == '' then return false end
  local seen = tonumber(redis.call('HGET', F, name) or '0')
  local given = tonumber(fence)
  if given < seen then return true end
  if given > seen then redis.call('HSET', F, name, fence) end
  return false
end
`;
