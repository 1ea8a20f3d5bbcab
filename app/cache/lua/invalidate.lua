-- Lets no answer count that was computed before now from one of the tables.
-- KEYS: invalidated.  ARGV: most tables to remember, then the tables; none means all.
local time = redis.call('TIME')
local sequence = redis.call('HGET', KEYS[1], 'sequence')
if sequence then
  sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
else
  sequence = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', KEYS[1], 'sequence', sequence, 'all', sequence)
end
if #ARGV == 1 or redis.call('HLEN', KEYS[1]) + #ARGV > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'sequence', sequence, 'all', sequence)
else
  for i = 2, #ARGV do
    redis.call('HSET', KEYS[1], 'table:' .. ARGV[i], sequence)
  end
end
redis.call('EXPIRE', KEYS[1], 86400)
return sequence
