-- The approximate sliding window of one client: the counts of this bucket and the one before.
-- KEYS[1]: a hash.  ARGV: amount, window in microseconds.  Answers as window_log.lua does.
local key = KEYS[1]
local amount, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local bucket = math.floor(now / window)
local state = redis.call('HMGET', key, 'bucket', 'count', 'before')
local at, count, before = tonumber(state[1]) or bucket, tonumber(state[2]) or 0, tonumber(state[3]) or 0
if at == bucket + 1 then
  -- The clock was set back a little: time stands still until it has caught up.
  bucket = at
  now = at * window
elseif at == bucket - 1 then
  before, count = count, 0
elseif at ~= bucket then
  before, count = 0, 0
end
local left = (bucket + 1) * window - now
local estimate = count + before * left / window
local allowed = estimate + 1 <= amount
if allowed then
  count = count + 1
  estimate = estimate + 1
  redis.call('HSET', key, 'bucket', string.format('%.0f', bucket), 'count', count, 'before', before)
  redis.call('PEXPIRE', key, math.ceil(window * 2 / 1000) + 1000)
end
local remaining = math.floor(amount - estimate)
-- One more may pass when the estimate has come down to this.
local goal = math.max(0, amount - 1 - remaining)
local reset = left
if before > 0 and count <= goal then
  reset = left - (goal - count) * window / before
elseif count > 0 then
  reset = left + window * (1 - goal / count)
end
return redis.status_reply((allowed and remaining or -1) .. ' ' .. string.format('%.0f', reset))
