-- Lists the live workers.
-- KEYS: workers, records, stream.  Returns {tasks in the stream, record, ...}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local reply = {redis.call('XLEN', KEYS[3])}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
  local record = redis.call('HGET', KEYS[2], name)
  if record then
    reply[#reply + 1] = record
  end
end
return reply
