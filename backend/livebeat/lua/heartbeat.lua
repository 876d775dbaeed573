-- Write one beat's heartbeat with Redis' time, and drop those of beats that are gone.
-- KEYS: 1 hash of heartbeats; ARGV: 1 beat, 2 what it says (JSON object without `at`), 3 seconds that one is kept
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
redis.call('HSET', KEYS[1], ARGV[1], string.format('{"at": %.6f, ', now) .. string.sub(ARGV[2], 2))
local found = redis.call('HGETALL', KEYS[1])
for i = 1, #found, 2 do
  local at = tonumber(string.match(found[i + 1], '^{"at": (%d+%.%d+),'))
  if not at or at < now - ARGV[3] then redis.call('HDEL', KEYS[1], found[i]) end
end
