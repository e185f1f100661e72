// The scripts of an event. Keys: the record, those who wait, and the `gen` that each of them has found at first. The
// record has `set`, and `gen`, which grows each time that the event is set: a waiter goes on when it differs from what it
// was at first, even if the event was cleared since. The waiter is told what it was, and says so at each look. Until it
// has been told, the server remembers it. So it does not matter which answers and messages are lost, nor for how long.
import { objectScript } from './prelude';

const head = `
local M, S, G = KEYS[1], KEYS[2], KEYS[3]
local function leave(token)
  redis.call('ZREM', S, token)
  redis.call('HDEL', G, token)
end
`;

/** Arguments: token, how long a waiter lives, the `gen` that it has been told or ''. Answers `set`; `waits`, gen. */
export const waitEvent = objectScript(
  'wait-event',
  'writes',
  `${head}
local token = ARGV[1]
local state = redis.call('HMGET', M, 'set', 'gen')
local first = ARGV[3]
if first == '' then first = redis.call('HGET', G, token) end
if state[1] == '1' or (first and first ~= state[2]) then
  leave(token)
  return {'set'}
end
local dead = redis.call('ZRANGEBYSCORE', S, '-inf', whole(now), 'LIMIT', 0, 16)
for i = 1, #dead do
  if dead[i] ~= token then leave(dead[i]) end
end
redis.call('ZADD', S, whole(now + ARGV[2]), token)
redis.call('HSETNX', G, token, state[2])
return {'waits', state[2]}
`,
);

/** Sets it, and tells all who wait. They leave when they have looked. */
export const setEvent = objectScript(
  'set-event',
  'frees',
  `${head}
redis.call('HSET', M, 'set', '1')
redis.call('HINCRBY', M, 'gen', 1)
local all = redis.call('ZRANGE', S, 0, -1)
for i = 1, #all do tell(all[i]) end
return {'done'}
`,
);

export const clearEvent = objectScript(
  'clear-event',
  'frees',
  `
redis.call('HSET', KEYS[1], 'set', '0')
return {'done'}
`,
);

/** Answers `yes` or `no`. */
export const isEventSet = objectScript(
  'is-event-set',
  'reads',
  `
if redis.call('HGET', KEYS[1], 'set') == '1' then return {'yes'} end
return {'no'}
`,
);

/** Arguments: token. It does not wait any more. */
export const leaveEvent = objectScript(
  'leave-event',
  'frees',
  `${head}
leave(ARGV[1])
return {'done'}
`,
);
