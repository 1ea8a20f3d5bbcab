-- Gives the seat back at once, with its record, and the place of who stands by.
-- KEYS: lease, standby, record.  ARGV: name.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1], KEYS[3])
end
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
return 1
