-- Drop the heartbeats that are older than `kept` seconds, and what is none.
local function drop_silent(key, now, kept)
  local found = redis.call('HGETALL', key)
  for i = 1, #found, 2 do
    local at = tonumber(string.match(found[i + 1], '^{"at": (%d+%.%d+),'))
    if not at or at < now - kept then redis.call('HDEL', key, found[i]) end
  end
end
