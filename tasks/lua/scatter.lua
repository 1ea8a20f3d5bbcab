-- Queues tasks, all or none.
-- KEYS: stream, takers.  ARGV: most tasks in the stream, most that may be there already, budget in
-- ms, reply name, headers (may be empty), then of each task its index, 1 if it is a copy of one
-- that runs, and its payload.
-- Returns {'queued', id, ...}, {'no workers'} or {'full', length}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('ZCOUNT', KEYS[2], now, '+inf') == 0 then
  return {'no workers'}
end
local length = redis.call('XLEN', KEYS[1])
if length > tonumber(ARGV[2]) or length + (#ARGV - 5) / 3 > tonumber(ARGV[1]) then
  return {'full', length}
end
local reply = {'queued'}
for i = 6, #ARGV, 3 do
  local more = ARGV[5] ~= '' and {'headers', ARGV[5]} or {}
  if ARGV[i + 1] == '1' then
    more[#more + 1] = 'copy'
    more[#more + 1] = '1'
  end
  reply[#reply + 1] = redis.call('XADD', KEYS[1], '*', 'index', ARGV[i], 'budget_ms', ARGV[3],
    'reply_to', ARGV[4], 'payload', ARGV[i + 2], unpack(more))
end
return reply
