-- Records a task that is given up, answers it, and takes it out of the queue, in one step.
-- KEYS: stream, dead letters, then of a task that somebody waits for: reply list, cancel marker.
-- ARGV: group, id, answer, life of the answer in ms, most dead letters, then names and values of
-- the record.  Returns 1, or 0 when somebody else ended it already.
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 then
  return 0
end
-- The record first: where memory is full it is refused, and the task stays as it is.
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', unpack(ARGV, 6))
if KEYS[3] and redis.call('EXISTS', KEYS[4]) == 0 then
  redis.call('RPUSH', KEYS[3], ARGV[3])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
return 1
