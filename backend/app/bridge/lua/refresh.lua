-- Put an entry in the place of another.
-- KEYS: 1 `:processing`; ARGV: 1 the entry as read, 2 the new one
-- Returns 1, or 0 where it was no longer there.
local place = redis.call('LPOS', KEYS[1], ARGV[1])
if not place then return 0 end
redis.call('LSET', KEYS[1], place, ARGV[2])
return 1
