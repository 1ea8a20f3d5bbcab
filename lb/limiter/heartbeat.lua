-- Counts this balancer for a while, and tells how many there are.  One sorted set by the server's
-- clock: to count keys that expire by themselves would mean to look at all keys.
-- KEYS[1]: the set.  ARGV: who lives, and for how many milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return redis.call('ZCARD', KEYS[1])
