-- Looks an answer up; where none is good enough, lets one caller compute it.
-- KEYS: entry, lock, invalidated, used, sizes, hot.
-- ARGV: entry's name, token of the caller ('': look only), lease in ms, oldest age in ms that is good
-- enough, request's name to count as asked for ('': do not count).
-- Returns {what, began, value, age in ms, hits, cost in ms}; began is the sequence and the time in ms,
-- with a space between, for `put`; what is 'hit', 'lead' (the caller
-- holds the lock now), 'wait' (somebody else does) or 'miss' (only looked).  Without a good one, value
-- is the one that is too old, or absent.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local sequence = redis.call('HGET', KEYS[3], 'sequence')
if not sequence then
  -- lost or new: what lies here may have been invalidated, and counts no more
  sequence = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[3], 'sequence', sequence, 'all', sequence)
  redis.call('EXPIRE', KEYS[3], 86400)
end
if ARGV[5] ~= '' then
  redis.call('ZINCRBY', KEYS[6], 1, ARGV[5])
  redis.call('EXPIRE', KEYS[6], 86400)
end
local entry = redis.call('HMGET', KEYS[1], 'value', 'at', 'began', 'tables', 'cost')
local value, age = entry[1], 0
if value then
  local fields = {'all'}
  for _, name in ipairs(cjson.decode(entry[4])) do
    fields[#fields + 1] = 'table:' .. name
  end
  for _, after in ipairs(redis.call('HMGET', KEYS[3], unpack(fields))) do
    if after and tonumber(after) > tonumber(entry[3]) then
      value = false
    end
  end
  age = math.max(0, now - tonumber(entry[2]))
end
if not value then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[4], ARGV[1])
  local size = redis.call('HGET', KEYS[5], ARGV[1])
  if size then
    redis.call('HDEL', KEYS[5], ARGV[1])
    redis.call('HINCRBY', KEYS[5], '', -size)
  end
end
local hits = 0
local what = 'miss'
if value and age <= tonumber(ARGV[4]) then
  what = 'hit'
  if ARGV[5] ~= '' then
    hits = redis.call('HINCRBY', KEYS[1], 'hits', 1)
    redis.call('ZADD', KEYS[4], 'XX', now, ARGV[1])
  end
elseif ARGV[2] ~= '' then
  what = 'wait'
  if redis.call('SET', KEYS[2], ARGV[2], 'NX', 'PX', ARGV[3]) then
    what = 'lead'
  end
end
local began = string.format('%s %.0f', sequence, now)
if value then
  return {what, began, value, age, hits, tonumber(entry[5])}
end
return {what, began}
