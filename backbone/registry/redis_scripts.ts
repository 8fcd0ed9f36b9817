/**
 * What Redis does in one step, in Lua. The keys of a script share a hash tag, and so a node of a Cluster.
 *
 * @module
 */

/**
 * Stores a table unless what is held is as new: KEYS table; ARGV epoch, hash, entries. With ARGV base epoch and base
 * hash after them: only if that is held. Answers whether it did.
 */
export const WRITE = `
local epoch, hash = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'hash'))
local wins
if ARGV[4] then
  wins = epoch == ARGV[4] and hash == ARGV[5]
else
  local newer = tonumber(ARGV[1]) - tonumber(epoch or -1)
  wins = newer > 0 or (newer == 0 and ARGV[2] > hash)
end
if not wins then return 0 end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'hash', ARGV[2], 'entries', ARGV[3])
return 1
`;

/**
 * Adds to the load of the present window: KEYS load; ARGV milliseconds of a window, then slot and messages in turn. To
 * who comes first after a window has ended, answers how long it was and its slots and messages in turn; a new one begins.
 */
export const REPORT = `
local window = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
local since = tonumber(redis.call('HGET', KEYS[1], 'since') or now + 1)
local load = {}
if now - since >= window then
  redis.call('HDEL', KEYS[1], 'since')
  load = { now - since, redis.call('HGETALL', KEYS[1]) }
  redis.call('DEL', KEYS[1])
  since = now + 1
end
-- Where there is no window, or the clock went back.
if since > now then redis.call('HSET', KEYS[1], 'since', now) end
redis.call('PEXPIRE', KEYS[1], 3 * window)
return load
`;
