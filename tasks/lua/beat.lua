-- Says that a worker lives.
-- KEYS: workers, records, then the takers of each of its lanes.  ARGV: name, life of the beat in ms, record, 1 if it takes tasks.
-- Returns the server's time in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First of all writes: where memory is full it is refused, and so the worker counts as dead.  Its
-- answers are refused, too, and nobody should wait for them.
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
for i = 3, #KEYS do
  if ARGV[4] == '1' then
    redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  else
    redis.call('ZREM', KEYS[i], ARGV[1])
  end
end
for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)) do
  redis.call('ZREM', KEYS[1], lapsed)
  for i = 3, #KEYS do
    redis.call('ZREM', KEYS[i], lapsed)
  end
  redis.call('HDEL', KEYS[2], lapsed)
end
-- The clock was set back: what was written before would count as alive for as long as it jumped.
for i = 1, #KEYS do
  if i ~= 2 then
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '(' .. (now + 2 * ARGV[2]), '+inf')
  end
end
return now
