-- Set a message aside that can't be used.
-- KEYS: 1 the list it is on, 2 `:failed`; ARGV: 1 its length in bytes, 2 its beginning, 3 what is kept of it
-- Returns 1, or 0 where somebody else took it.
-- include entries.lua
if not is_next(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[3])
redis.call('RPOP', KEYS[1])
return 1
