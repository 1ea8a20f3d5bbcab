-- Renews leases, and tells which tasks need not be finished.
-- KEYS: stream, then the cancel marker of each task.  ARGV: group, consumer, then ids.
-- Returns for each id 'held', 'lost' (answered, wiped, or held by another) or 'cancelled'.
local reply = {}
for i = 3, #ARGV do
  local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)
  if #pending == 0 or pending[1][2] ~= ARGV[2] then
    reply[#reply + 1] = 'lost'
  else
    -- JUSTID: a renewal is no delivery, and must not count as one
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    reply[#reply + 1] = redis.call('EXISTS', KEYS[i - 1]) == 1 and 'cancelled' or 'held'
  end
end
return reply
