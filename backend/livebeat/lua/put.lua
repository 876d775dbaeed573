-- Write one schedule whole (entry, score, event, wake), if it still is what the writer read.
-- KEYS: 1 entry hash, 2 RedBeat's index, 3 event stream, 4 what is set aside
-- ARGV: 1-3 SHA-1 of definition, meta and ours as read ('' = was absent), 4-6 the new ones ('' = leave as it is),
--       7 score, 8 event type, 9 event data, 10 wake channel, 11 schedule name, 12 stream cap
-- Returns 1, or 0 where somebody else was first.
for i, field in ipairs({'definition', 'meta', 'livebeat'}) do
  local value = redis.call('HGET', KEYS[1], field)
  if (value and redis.sha1hex(value) or '') ~= ARGV[i] then return 0 end
end
for i, field in ipairs({'definition', 'meta', 'livebeat'}) do
  if ARGV[3 + i] ~= '' then redis.call('HSET', KEYS[1], field, ARGV[3 + i]) end
end
redis.call('ZADD', KEYS[2], ARGV[7], KEYS[1])
redis.call('HDEL', KEYS[4], ARGV[11])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[12], '*', 'type', ARGV[8], 'data', ARGV[9])
redis.call('PUBLISH', ARGV[10], ARGV[11])
return 1
