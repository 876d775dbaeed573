-- Start a run that waits for the others of its schedule, where none is unfinished any more; else look again later.
-- KEYS: 1 ledger, 2 event stream, 3 index of running ids
-- ARGV: 1 run id, 2 its schedule, 3 prefix of ledger entries, 4 stream cap, 5 databases (see push.lua), 6 seconds to a
--       message's first check
-- Returns 1 where it was started.
-- include overlap.lua
return proceed({
  run = ARGV[3], ledger = KEYS[1], events = KEYS[2], running = KEYS[3], cap = ARGV[4], db = ARGV[5], first_check = ARGV[6]
}, ARGV[2], ARGV[1])
