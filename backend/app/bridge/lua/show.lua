-- Make the message in hand visible: its run is in the ledger.
-- KEYS: 1 the hand, 2 `:processing`; ARGV: 1 length in bytes and 2 beginning of what lies in hand, 3 our mark and the run's
--       id, 4 the entry after that
-- Returns 1, or 0 where another bridge did so.
-- include entries.lua
if not is_next(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
redis.call('LLEN', KEYS[2])
redis.call('RPOP', KEYS[1])
show(KEYS[2], ARGV[3], ARGV[4])
return 1
