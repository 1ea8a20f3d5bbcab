-- Puts notices into a stream, up to a number that it never exceeds.
-- KEYS: stream.  ARGV: how many, most in the stream.  Returns how many were put.
local count = math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - redis.call('XLEN', KEYS[1]))
for _ = 1, count do
  redis.call('XADD', KEYS[1], '*', 'ready', '1')
end
return math.max(count, 0)
