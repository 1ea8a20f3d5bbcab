-- The exact sliding window of one client: a list of the times of the requests that passed.
-- KEYS[1]: the list.  ARGV: amount, window in microseconds.
-- Answers "remaining reset": how many may follow now (-1: this one may not pass), and after how
-- many microseconds there is one more.
local key = KEYS[1]
local amount, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('LINDEX', key, -1))
if last and last > now then
  -- The clock was set back.  A little: time stands still until it has caught up.  More than a
  -- window: what is in the list would hold for too long.
  if last - now > window then redis.call('DEL', key) else now = last end
end
local start = now - window
local first = tonumber(redis.call('LINDEX', key, 0))
while first and first < start do
  redis.call('LPOP', key)
  first = tonumber(redis.call('LINDEX', key, 0))
end
local size = redis.call('LLEN', key)
if size >= amount then
  return redis.status_reply('-1 ' .. string.format('%.0f', redis.call('LINDEX', key, -amount) - start))
end
redis.call('RPUSH', key, string.format('%.0f', now))
redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
return redis.status_reply(amount - 1 - size .. ' ' .. string.format('%.0f', (first or now) - start))
