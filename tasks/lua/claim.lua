-- Takes over one task whose lease lapsed.
-- KEYS: stream.  ARGV: group, consumer, lease in ms.
-- Returns {id, fields, how often it has been delivered} or nothing.
local cursor = '0-0'
repeat
  -- A call looks at ten pending entries for each one wanted, so the cursor must be followed.
  local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], cursor, 'COUNT', 1)
  cursor = claimed[1]
  local entry = claimed[2][1]
  if entry then
    local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
    return {entry[1], entry[2], pending[1][4]}
  end
until cursor == '0-0'
return false
