/**
 * What Redis does in one step, in Lua. The keys of a script share a hash tag, and so a node of a Cluster.
 *
 * @module
 */

/**
 * Brings the copy of a slot forward. KEYS: messages (a stream), vector (a hash), outline (a hash). ARGV: milliseconds until
 * all of it goes if nobody writes any more, then lists, each preceded by how many items it has: base and vector (origin,
 * seq), messages (origin, seq, channel, at, bytes), forgotten (origin), outline (none or one), floors (channel, origin, seq).
 *
 * Answers where the copy stands, which is before the base where nothing was written. A message at or below what is there of
 * its origin is passed over, unless it is below the base: then it was lost before and has come after all.
 *
 * What the floors have passed goes: from the front of the stream up to where nothing does, and all of it once the stream is
 * twice as long as what was left the last time.
 */
export const WRITE = `
local messages, vector, outline = KEYS[1], KEYS[2], KEYS[3]
local at = 2
local function list(width)
  local items, count = {}, tonumber(ARGV[at])
  at = at + 1
  for i = 1, count do
    local item = {}
    for j = 1, width do item[j] = ARGV[at + j - 1] end
    items[i] = item
    at = at + width
  end
  return items
end
local base, known = {}, {}
local function standing(origin)
  known[origin] = known[origin] or tonumber(redis.call('HGET', vector, origin) or 0)
  return known[origin]
end
local function stand(origin, seq)
  if seq <= standing(origin) then return end
  known[origin] = seq
  redis.call('HSET', vector, origin, string.format('%.0f', seq))
end
for _, item in ipairs(list(2)) do
  base[item[1]] = tonumber(item[2])
  if standing(item[1]) < base[item[1]] then return redis.call('HGETALL', vector) end
end
local stands = list(2)
for _, item in ipairs(list(5)) do
  local origin, seq = item[1], tonumber(item[2])
  if seq > standing(origin) or seq <= (base[origin] or 0) then
    redis.call('XADD', messages, '*', 'o', origin, 's', item[2], 'c', item[3], 't', item[4], 'm', item[5])
    stand(origin, seq)
  end
end
for _, item in ipairs(stands) do stand(item[1], tonumber(item[2])) end
for _, item in ipairs(list(1)) do redis.call('HDEL', vector, item[1]) end
for _, item in ipairs(list(1)) do redis.call('HSET', outline, 'bytes', item[1]) end
local floors = {}
for _, item in ipairs(list(3)) do
  floors[item[1]] = floors[item[1]] or {}
  floors[item[1]][item[2]] = tonumber(item[3])
end
local function passed(fields)
  local floor = floors[fields[6]] or floors[''] or {}
  return tonumber(fields[4]) <= (floor[fields[2]] or 0)
end
if next(floors) then
  local left = tonumber(redis.call('HGET', outline, 'left') or 0)
  local whole, from = redis.call('XLEN', messages) > 2 * left + 64, '-'
  while true do
    local page, gone = redis.call('XRANGE', messages, from, '+', 'COUNT', 256), 0
    for _, entry in ipairs(page) do
      if passed(entry[2]) then gone = gone + redis.call('XDEL', messages, entry[1]) end
    end
    if #page < 256 or (gone == 0 and not whole) then break end
    from = '(' .. page[#page][1]
  end
  if whole then redis.call('HSET', outline, 'left', redis.call('XLEN', messages)) end
end
if redis.call('HLEN', vector) == 0 then
  redis.call('UNLINK', messages, vector, outline)
else
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
end
return redis.call('HGETALL', vector)
`;
