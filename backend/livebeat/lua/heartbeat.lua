-- Write one process's heartbeat with Redis' time, and drop those of others that are gone.
-- KEYS: 1 hash of heartbeats
-- ARGV: 1 process, 2 what it says (JSON object without `at`), 3 seconds that one is kept, '' = leave the others alone
-- include silent.lua
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('HSET', KEYS[1], ARGV[1], string.format('{"at": %.6f, ', now) .. string.sub(ARGV[2], 2))
if ARGV[3] ~= '' then drop_silent(KEYS[1], now, ARGV[3]) end
