-- Keep a message that can't be used, and tell it. Harmless to repeat.
-- KEYS: 1 what was given up, 2 event stream
-- ARGV: 1 id, 2 entry (JSON object; `at` is added), 3 event data, 4 stream cap, 5 entries kept at most
-- Returns 1, or 0 where there are as many already: then only the event is written.
local room = redis.call('HLEN', KEYS[1]) < tonumber(ARGV[5]) or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
if room then
  local now = redis.call('TIME')
  local at = string.format('{"at": %d.%06d, ', now[1], now[2])
  redis.call('HSET', KEYS[1], ARGV[1], at .. string.sub(ARGV[2], 2))
end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'type', 'message.set_aside', 'data', ARGV[3])
return room and 1 or 0
