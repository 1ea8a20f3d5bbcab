-- Takes a worker off the roll, and its consumer out of the groups where it holds nothing.
-- KEYS: workers, records, then takers and stream of each of its lanes.  ARGV: name, group.
-- Returns the number of tasks that it still holds; others claim those when their lease lapses.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
local total = 0
for i = 3, #KEYS, 2 do
  redis.call('ZREM', KEYS[i], ARGV[1])
  local held = redis.pcall('XPENDING', KEYS[i + 1], ARGV[2], '-', '+', 100, ARGV[1])
  if not held.err and #held == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[i + 1], ARGV[2], ARGV[1])
  end
  total = total + #held
end
return total
