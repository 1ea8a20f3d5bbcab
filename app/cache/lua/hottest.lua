-- Names the requests that are asked for most, as JSON.  Old questions fade: counts are halved every ten minutes.
-- KEYS: hot, requests, faded.  ARGV: how many.
if redis.call('SET', KEYS[3], '1', 'NX', 'EX', 600) then
  redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', 0.5)
  redis.call('EXPIRE', KEYS[1], 86400)
end
local found = {}
for _, name in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] * 2 - 1)) do
  local request = redis.call('HGET', KEYS[2], name)
  if request and #found < tonumber(ARGV[1]) then
    found[#found + 1] = request
  end
end
return found
