-- Answers a task and takes it out of the queue, in one step.
-- KEYS: stream, reply list, cancel marker.  ARGV: group, id, answer, life of the answer in ms.
-- Returns 1, or 0 when somebody else answered it already.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
  return 0
end
-- Pushed before the ack: where memory is full the push is refused, and the task stays.
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('RPUSH', KEYS[2], ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
