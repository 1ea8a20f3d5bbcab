-- Removes from the group the consumers of dead workers, once others have claimed all they held:
-- removed earlier, their tasks would be lost.
-- KEYS: stream, workers.  ARGV: group.  Returns the names removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local removed = {}
for _, fields in ipairs(redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #fields, 2 do
    consumer[fields[i]] = fields[i + 1]
  end
  local lapses = redis.call('ZSCORE', KEYS[2], consumer['name'])
  if consumer['pending'] == 0 and (not lapses or tonumber(lapses) < now) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    removed[#removed + 1] = consumer['name']
  end
end
return removed
