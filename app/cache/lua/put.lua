-- Keeps an answer, unless its tables were invalidated since its computation began, and makes room.
-- KEYS: entry, invalidated, used, sizes, hot, requests.
-- ARGV: entry's name, prefix of entries, value, sequence at the beginning, tables as JSON, age in ms,
-- time to live in ms, most bytes of all entries, cost in ms, request's name, request as JSON, most
-- requests to remember, time at the beginning in ms.
-- Returns {'stored' or 'refused', entries evicted, bytes of all entries}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = {'sequence', 'all'}
for _, name in ipairs(cjson.decode(ARGV[5])) do
  fields[#fields + 1] = 'table:' .. name
end
local known = redis.call('HMGET', KEYS[2], unpack(fields))
local refused = not known[1]
for i = 2, #fields do
  refused = refused or (known[i] and tonumber(known[i]) > tonumber(ARGV[4]))
end
-- Its age was measured when this was sent, and may have waited since: by a stopped Redis, for one.
-- It is no younger than its computation's beginning tells.
local at = math.min(now - tonumber(ARGV[6]), tonumber(ARGV[13]))
local newest = redis.call('HGET', KEYS[1], 'at')
if newest and tonumber(newest) > at then
  refused = true
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[4]) -- one without the other was evicted: count anew
end
local total = tonumber(redis.call('HGET', KEYS[4], '') or 0)
if refused then
  return {'refused', 0, total}
end
local size = #ARGV[3] + #ARGV[5] + #ARGV[1] + 256 -- what an entry's fields and our accounts take
total = redis.call('HINCRBY', KEYS[4], '', size - tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0))
redis.call('HSET', KEYS[4], ARGV[1], size)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'value', ARGV[3], 'at', at, 'began', ARGV[4], 'tables', ARGV[5],
  'cost', ARGV[9])
redis.call('PEXPIRE', KEYS[1], math.max(1, tonumber(ARGV[7]) - (now - at)))
redis.call('ZADD', KEYS[3], now, ARGV[1])
local evicted = 0
while true do
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  -- the oldest goes where memory is short, or where its entry has expired for certain
  local expired = oldest[1] and tonumber(oldest[2]) < now - tonumber(ARGV[7])
  if not oldest[1] or not (expired or total > tonumber(ARGV[8])) then
    break
  end
  evicted = evicted + redis.call('DEL', ARGV[2] .. oldest[1])
  total = redis.call('HINCRBY', KEYS[4], '', -tonumber(redis.call('HGET', KEYS[4], oldest[1]) or 0))
  redis.call('HDEL', KEYS[4], oldest[1])
  redis.call('ZREM', KEYS[3], oldest[1])
end
if ARGV[10] ~= '' then
  redis.call('HSET', KEYS[6], ARGV[10], ARGV[11])
  local most = tonumber(ARGV[12])
  if redis.call('HLEN', KEYS[6]) > most then
    local kept = {}
    for _, name in ipairs(redis.call('ZREVRANGE', KEYS[5], 0, most / 2 - 1)) do
      kept[name] = true
    end
    for _, name in ipairs(redis.call('HKEYS', KEYS[6])) do
      if not kept[name] then
        redis.call('HDEL', KEYS[6], name)
        redis.call('ZREM', KEYS[5], name)
      end
    end
  end
end
for _, key in ipairs({KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]}) do
  redis.call('EXPIRE', key, 86400)
end
return {'stored', evicted, total}
