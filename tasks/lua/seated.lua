-- Writes the record of who has the seat; who has lost it writes nothing.
-- KEYS: lease, record.  ARGV: name, record, life of the record in ms.  Returns 1 if it was written.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
