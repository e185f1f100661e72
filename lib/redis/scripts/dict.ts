// The scripts of a dict. Keys: the record, its lock (3), the entries, their ends, their last uses, the fences, the claims.
//
// The record has `ttl` and `capacity`, each 0 for none, `lru` as 1 or 0, and `bytes`, the size of all entries. Entries
// are a hash of keys to stored values. Their ends are a sorted set of the keys that have one, by moments; last uses are a
// hash of moments, in a dict with eviction. A claim is the right to compute the value of a key: `token end fence`, and
// the tokens of those who wait for it. Invariants:
//
// - D1  An entry whose end has come is absent for every script, and is removed by some later change.
// - D2  A change is made as a whole or not at all: whether there is room is found out before anything is written.
// - D3  A claim ends when it is fulfilled or renounced, when its lease ends, or when its key is deleted.
import { fenced } from './fenced';
import { lastingScript, objectScript } from './prelude';

const names = `
local M, L, D, X, U, F, C = KEYS[1], KEYS[2], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local function hasEnded(key)
  local ends = redis.call('ZSCORE', X, key)
  return ends and tonumber(ends) <= now
end
local function current(key)
  if hasEnded(key) then return false end
  return redis.call('HGET', D, key)
end
`;

const changing = `${names}${fenced}
local mostEvicted = 10000
local tidied = 16
local overhead = 64
local record = redis.call('HMGET', M, 'ttl', 'capacity', 'lru')
local capacity, isLru = tonumber(record[2]), record[3] == '1'
local function sizeOf(key) return #key + redis.call('HSTRLEN', D, key) + overhead end
local function remove(key)
  if redis.call('HEXISTS', D, key) == 0 then return end
  redis.call('HINCRBY', M, 'bytes', -sizeOf(key))
  redis.call('HDEL', D, key)
  redis.call('ZREM', X, key)
  if isLru then redis.call('HDEL', U, key) end
end
local function tidy(count)
  local ended = redis.call('ZRANGEBYSCORE', X, '-inf', whole(now), 'LIMIT', 0, count)
  for i = 1, #ended do remove(ended[i]) end
  return #ended
end
-- The least used of eight entries other than this one.
local function victimBeside(key)
  local some = redis.call('HRANDFIELD', D, 8)
  local found, least
  for i = 1, #some do
    if some[i] ~= key then
      local used = tonumber(redis.call('HGET', U, some[i]) or '0')
      if not least or used < least then found, least = some[i], used end
    end
  end
  return found
end
-- Makes room for that many bytes more. Returns false where there is none.
local function makeRoom(key, size, before)
  if capacity == 0 then return true end
  if size > capacity then return false end
  local function lacks() return tonumber(redis.call('HGET', M, 'bytes')) - before + size > capacity end
  while lacks() and tidy(100) > 0 do end
  for _ = 1, mostEvicted do
    if not lacks() then return true end
    local victim = isLru and victimBeside(key)
    if not victim then return false end
    remove(victim)
  end
  return false
end
-- Sets a value. The time is milliseconds, 0 for ever, or nothing to keep that of an entry that is there.
local function store(key, value, time)
  if hasEnded(key) then remove(key) end
  local isThere = redis.call('HEXISTS', D, key) == 1
  local before = isThere and sizeOf(key) or 0
  local size = #key + #value + overhead
  if size > before and not makeRoom(key, size, before) then return false end
  redis.call('HSET', D, key, value)
  redis.call('HINCRBY', M, 'bytes', size - before)
  if time == '' and not isThere then time = record[1] end
  if time ~= '' then
    if tonumber(time) > 0 then redis.call('ZADD', X, whole(now + time), key)
    else redis.call('ZREM', X, key) end
  end
  if isLru then redis.call('HSET', U, key, whole(now)) end
  tidy(tidied)
  return true
end
`;

const claiming = `
local function claimOf(key)
  local claim = redis.call('HGET', C, key)
  if not claim then return nil end
  local token, ends, fence, waiters = string.match(claim, '^(%S+) (%d+) (%d+)(.*)$')
  return token, tonumber(ends), fence, waiters
end
local function endClaim(key, waiters)
  redis.call('HDEL', C, key)
  for waiter in string.gmatch(waiters, '%S+') do tell(waiter) end
end
local function dropClaim(key)
  local token, _, _, waiters = claimOf(key)
  if token then endClaim(key, waiters) end
end
`;

/** Arguments: key. Answers `is`, value; `none`. */
export const getEntry = objectScript(
  'get-entry',
  'reads',
  `${names}
local value = current(ARGV[1])
if value then return {'is', value} end
return {'none'}
`,
);

/** As `get-entry`, for a dict with eviction: it notes the use, at most once a second. */
export const useEntry = objectScript(
  'use-entry',
  'frees',
  `${names}
local value = current(ARGV[1])
if not value then return {'none'} end
local used = tonumber(redis.call('HGET', U, ARGV[1]) or '0')
if now - used >= 1000 then redis.call('HSET', U, ARGV[1], whole(now)) end
return {'is', value}
`,
);

/** Arguments: key. Answers `yes` or `no`. */
export const hasEntry = objectScript(
  'has-entry',
  'reads',
  `${names}
if redis.call('HEXISTS', D, ARGV[1]) == 1 and not hasEnded(ARGV[1]) then return {'yes'} end
return {'no'}
`,
);

/** Answers `is`, number of entries. */
export const sizeOfDict = objectScript(
  'size-of-dict',
  'reads',
  `return {'is', redis.call('HLEN', KEYS[5])}`,
);

/**
 * Arguments: the lock of the fence, the fence, key, value, time, `always` or `absent`. Answers `set`, `there`, `full`,
 * `fenced`.
 */
export const setEntry = objectScript(
  'set-entry',
  'writes',
  `${changing}
if isFenced(ARGV[1], ARGV[2]) then return {'fenced'} end
local key = ARGV[3]
if ARGV[6] == 'absent' and current(key) then return {'there'} end
if not store(key, ARGV[4], ARGV[5]) then return {'full'} end
return {'set'}
`,
);

/** Arguments: the lock of the fence, the fence, key. Answers `was` or `none`; `fenced`. */
export const deleteEntry = objectScript(
  'delete-entry',
  'frees',
  `${changing}${claiming}
if isFenced(ARGV[1], ARGV[2]) then return {'fenced'} end
local isThere = current(ARGV[3])
remove(ARGV[3])
dropClaim(ARGV[3])
if isThere then return {'was'} end
return {'none'}
`,
);

/** Arguments: the lock of the fence, the fence. Answers `done`; `fenced`. */
export const clearDict = objectScript(
  'clear-dict',
  'frees',
  `${changing}${claiming}
if isFenced(ARGV[1], ARGV[2]) then return {'fenced'} end
local claimed = redis.call('HKEYS', C)
for i = 1, #claimed do dropClaim(claimed[i]) end
redis.call('UNLINK', D, X, U)
redis.call('HSET', M, 'bytes', '0')
return {'done'}
`,
);

/**
 * Arguments: the lock of the fence, the fence, key, delta as the bytes of a double, time of a new entry, the byte that
 * ends a stored number. Answers `was`, the bytes of the number before; `full`; `other` where the value is no number;
 * `fenced`.
 */
export const addToEntry = objectScript(
  'add-to-entry',
  'writes',
  `${changing}
if isFenced(ARGV[1], ARGV[2]) then return {'fenced'} end
local key, mark = ARGV[3], ARGV[6]
local value = current(key)
local before = struct.pack('<d', 0)
if value then
  if #value ~= 9 or string.sub(value, 9) ~= mark then return {'other'} end
  before = string.sub(value, 1, 8)
end
local sum = struct.unpack('<d', before) + struct.unpack('<d', ARGV[4])
if not store(key, struct.pack('<d', sum) .. mark, value and '' or ARGV[5]) then return {'full'} end
return {'was', before}
`,
);

/**
 * Sets a value if the one that is there is the same as expected. Arguments: the lock of the fence, the fence, key,
 * expected, how an absent value is stored, value, time, the token that holds the dict's lock or nothing. Answers `set`;
 * `other`, value; `full`; `locked` where another holds the dict's lock and a token was given or asked for; `fenced`.
 */
export const swapEntry = objectScript(
  'swap-entry',
  'writes',
  `${changing}
if ARGV[8] ~= '-' then
  local lock = redis.call('HMGET', L, 'owner', 'until')
  if lock[1] and lock[1] ~= ARGV[8] and tonumber(lock[2]) > now then return {'locked'} end
end
local key = ARGV[3]
local value = current(key)
if (value or ARGV[5]) ~= ARGV[4] then return {'other', value or ARGV[5]} end
if isFenced(ARGV[1], ARGV[2]) then return {'fenced'} end
if not store(key, ARGV[6], ARGV[7]) then return {'full'} end
return {'set'}
`,
);

/**
 * Arguments: cursor, about how many entries. Answers `scan`, the next cursor, keys and values in turn. An entry that is
 * there throughout is answered at least once.
 */
export const scanDict = objectScript(
  'scan-dict',
  'reads',
  `${names}
local found = redis.call('HSCAN', D, ARGV[1], 'COUNT', ARGV[2])
local entries = {}
for i = 1, #found[2], 2 do
  if not hasEnded(found[2][i]) then
    entries[#entries + 1] = found[2][i]
    entries[#entries + 1] = found[2][i + 1]
  end
end
return {'scan', found[1], entries}
`,
);

/**
 * Gets a value, or the right to compute it. Arguments: key, token, lease, how long a waiter lives. Answers `is`, value;
 * `claimed`, fence; `waits`, look.
 */
export const claimEntry = objectScript(
  'claim-entry',
  'writes',
  `${names}${claiming}
local key, mine, lease, ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local value = current(key)
if value then return {'is', value} end
local token, ends, fence, waiters = claimOf(key)
if token and token ~= mine and ends > now then
  if not string.find(waiters .. ' ', ' ' .. mine .. ' ', 1, true) then
    redis.call('HSET', C, key, token .. ' ' .. whole(ends) .. ' ' .. fence .. waiters .. ' ' .. mine)
  end
  local look = ms / 3
  if ends - now + 1 < look then look = ends - now + 1 end
  return {'waits', math.ceil(look)}
end
if token ~= mine then
  local last = tonumber(redis.call('HGET', M, 'fence') or '0')
  fence = us
  if fence <= last then fence = last + 1 end
  fence = whole(fence)
  redis.call('HSET', M, 'fence', fence)
end
redis.call('HSET', C, key, mine .. ' ' .. whole(now + lease) .. ' ' .. fence .. (waiters or ''))
return {'claimed', fence}
`,
);

/** Arguments: token, lease, key. Answers `renewed` or `lost`. */
export const renewClaim = lastingScript(
  'renew-claim',
  `${names}${claiming}
local token, _, fence, waiters = claimOf(ARGV[3])
if token ~= ARGV[1] then return {'lost'} end
redis.call('HSET', C, ARGV[3], token .. ' ' .. whole(now + ARGV[2]) .. ' ' .. fence .. waiters)
return {'renewed'}
`,
);

/**
 * Stores a value that was computed, if the claim for it is still there, and no other value is. Arguments: key, token,
 * value, time. Answers `set`; `is`, the value that is there instead; `none` where the key was deleted meanwhile; `full`.
 */
export const fulfilClaim = objectScript(
  'fulfil-claim',
  'writes',
  `${changing}${claiming}
local key = ARGV[1]
local token, _, _, waiters = claimOf(key)
local value = current(key)
if token ~= ARGV[2] then
  if value then return {'is', value} end
  return {'none'}
end
if not value and not store(key, ARGV[3], ARGV[4]) then return {'full'} end
endClaim(key, waiters)
if value then return {'is', value} end
return {'set'}
`,
);

/** Gives up a claim, or the wait for one. Arguments: key, token. */
export const renounceClaim = objectScript(
  'renounce-claim',
  'frees',
  `${names}${claiming}
local token, ends, fence, waiters = claimOf(ARGV[1])
if token == ARGV[2] then endClaim(ARGV[1], waiters)
elseif token then
  local at, last = string.find(waiters .. ' ', ' ' .. ARGV[2] .. ' ', 1, true)
  if at then
    waiters = string.sub(waiters, 1, at - 1) .. string.sub(waiters, last)
    redis.call('HSET', C, ARGV[1], token .. ' ' .. whole(ends) .. ' ' .. fence .. waiters)
  end
end
return {'done'}
`,
);
