-- Takes or keeps the one seat from which the number of workers is decided.
-- KEYS: lease, standby.  ARGV: name, life of either in ms.  Returns 1 if the seat is the caller's, else 0.
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return 1
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 0
