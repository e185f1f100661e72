// The scripts of a number. Keys: the record, its lock (3), those who wait, the fences. The record has the number as `v`:
// an integer as decimal digits, a float as its bytes, the lowest first. So what is equal has the same bytes.
import { fenced } from './fenced';
import { objectScript } from './prelude';
import { watch } from './watch';

const head = `
local M, S, F = KEYS[1], KEYS[5], KEYS[6]
`;

/** Answers `is`, number. */
export const readValue = objectScript(
  'read-value',
  'reads',
  `return {'is', redis.call('HGET', KEYS[1], 'v')}`,
);

/**
 * Arguments: how it is stored (`small`, `int64`, `float64` or `float32`), delta, the least and the greatest number, the
 * lock of the fence, the fence. Answers `was`, number; `range`; `fenced`.
 */
export const addValue = objectScript(
  'add-value',
  'writes',
  `${head}${fenced}
if isFenced(ARGV[5], ARGV[6]) then return {'fenced'} end
local before = redis.call('HGET', M, 'v')
if ARGV[1] == 'small' then
  local after = tonumber(before) + tonumber(ARGV[2])
  if after < tonumber(ARGV[3]) or after > tonumber(ARGV[4]) then return {'range'} end
  redis.call('HSET', M, 'v', whole(after))
elseif ARGV[1] == 'int64' then
  local after = redis.pcall('HINCRBY', M, 'v', ARGV[2])
  if type(after) == 'table' and after.err then return {'range'} end
else
  local form = ARGV[1] == 'float64' and '<d' or '<f'
  local sum = struct.unpack(form, before) + struct.unpack(form, ARGV[2])
  local stored = struct.pack(form, sum)
  -- There are many NaNs. JavaScript stores one of them, and what is equal has to have the same bytes.
  if sum ~= sum then stored = form == '<d' and '\\0\\0\\0\\0\\0\\0\\248\\127' or '\\0\\0\\192\\127' end
  redis.call('HSET', M, 'v', stored)
end
return {'was', before}
`,
);

/** Arguments: number, the lock of the fence, the fence. Answers `was`, number; `fenced`. */
export const exchangeValue = objectScript(
  'exchange-value',
  'writes',
  `${head}${fenced}
if isFenced(ARGV[2], ARGV[3]) then return {'fenced'} end
local before = redis.call('HGET', M, 'v')
redis.call('HSET', M, 'v', ARGV[1])
return {'was', before}
`,
);

/** Arguments: expected, number, the lock of the fence, the fence. Answers `was`, number; `fenced`. */
export const compareExchangeValue = objectScript(
  'compare-exchange-value',
  'writes',
  `${head}${fenced}
if isFenced(ARGV[3], ARGV[4]) then return {'fenced'} end
local before = redis.call('HGET', M, 'v')
if before == ARGV[1] then redis.call('HSET', M, 'v', ARGV[2]) end
return {'was', before}
`,
);

/**
 * Sets the number if its lock is held, and it is what was read. Arguments: number, the token that holds the lock, the
 * number that was read. Answers `set`; `is`, the number that it is instead; `lost`.
 */
export const setValueLocked = objectScript(
  'set-value-locked',
  'writes',
  `
if redis.call('HGET', KEYS[2], 'owner') ~= ARGV[2] then return {'lost'} end
local number = redis.call('HGET', KEYS[1], 'v')
if number ~= ARGV[3] then return {'is', number} end
redis.call('HSET', KEYS[1], 'v', ARGV[1])
return {'set'}
`,
);

/** Arguments: token, expected, how long a waiter lives. Answers `is`, number; `waits`. */
export const waitValue = objectScript(
  'wait-value',
  'writes',
  `${head}${watch}
local number = redis.call('HGET', M, 'v')
if number ~= ARGV[2] then
  redis.call('ZREM', S, ARGV[1])
  return {'is', number}
end
await(S, ARGV[1], tonumber(ARGV[3]))
return {'waits'}
`,
);

/** Arguments: how many are told, or nothing for all. */
export const notifyValue = objectScript(
  'notify-value',
  'frees',
  `${head}${watch}
local count = tonumber(ARGV[1])
if count ~= 0 then announce(S, count) end
return {'done'}
`,
);

/** Arguments: token. It does not wait any more. */
export const leaveValue = objectScript(
  'leave-value',
  'frees',
  `
redis.call('ZREM', KEYS[5], ARGV[1])
return {'done'}
`,
);
