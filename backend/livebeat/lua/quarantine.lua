-- Take one schedule out of the due range, with the reason, if it still is what could not be used.
-- KEYS: 1 entry, 2 RedBeat's index, 3 event stream, 4 what is set aside
-- ARGV: 1 score and 2-4 definition, meta and ours as read ('' = absent or not readable), 5 schedule, 6 reason (JSON), 7 event data, 8 stream cap
-- Returns 1, or 0 where somebody else was first.
local score = redis.call('ZSCORE', KEYS[2], KEYS[1])
if not score or tonumber(score) ~= tonumber(ARGV[1]) then return 0 end
local read = redis.pcall('HMGET', KEYS[1], 'definition', 'meta', 'livebeat')
for i = 1, 3 do
  if (read[i] or '') ~= ARGV[1 + i] then return 0 end
end
redis.call('ZADD', KEYS[2], -1, KEYS[1])
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'type', 'schedule.quarantined', 'data', ARGV[7])
return 1
