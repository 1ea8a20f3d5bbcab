-- Takes a worker off the roll, and its consumer out of the group if it holds nothing.
-- KEYS: workers, records, takers, stream.  ARGV: name, group.
-- Returns the number of tasks that it still holds; others claim those when their lease lapses.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
local held = redis.pcall('XPENDING', KEYS[4], ARGV[2], '-', '+', 100, ARGV[1])
if not held.err and #held == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[4], ARGV[2], ARGV[1])
end
return #held
