-- Queues tasks, all or none.
-- KEYS: stream, takers.  ARGV: most tasks in the stream, budget in ms, reply name, then index and
-- payload of each task.  Returns {'queued', id, ...}, {'no workers'} or {'full', length}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZCOUNT', KEYS[2], now, '+inf') == 0 then
  return {'no workers'}
end
local length = redis.call('XLEN', KEYS[1])
if length + (#ARGV - 3) / 2 > tonumber(ARGV[1]) then
  return {'full', length}
end
local reply = {'queued'}
for i = 4, #ARGV, 2 do
  reply[#reply + 1] = redis.call('XADD', KEYS[1], '*', 'index', ARGV[i], 'budget_ms', ARGV[2],
    'reply_to', ARGV[3], 'payload', ARGV[i + 1])
end
return reply
