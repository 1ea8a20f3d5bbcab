-- Looks at what a waiting gatherer cannot see.
-- KEYS: stream, workers, takers, reply list.  ARGV: group, then ids.
-- Returns {live workers, workers that take tasks, tasks in the stream, answers not yet popped,
-- then for each id 'held', 'queued' or 'gone'}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {
  redis.call('ZCOUNT', KEYS[2], now, '+inf'),
  redis.call('ZCOUNT', KEYS[3], now, '+inf'),
  redis.call('XLEN', KEYS[1]),
  redis.call('LLEN', KEYS[4]),
}
for i = 2, #ARGV do
  -- no group, as after FLUSHALL: an error, which has no elements
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #pending > 0 then
    reply[#reply + 1] = 'held'
  elseif #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) > 0 then
    reply[#reply + 1] = 'queued'
  else
    reply[#reply + 1] = 'gone'
  end
end
return reply
