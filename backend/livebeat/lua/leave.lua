-- Remove one process's heartbeat, if it still is that process's: a successor may have the same name.
-- KEYS: 1 hash of heartbeats; ARGV: 1 process, 2 what its heartbeat says of nobody else
local said = redis.call('HGET', KEYS[1], ARGV[1])
if said and string.find(said, ARGV[2], 1, true) then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
