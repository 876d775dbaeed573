-- Remove one schedule whole, if it still is what the caller read.
-- KEYS: 1 entry hash, 2 RedBeat's index, 3 event stream, 4 what is set aside, 5 failures in a row
-- ARGV: 1-3 SHA-1 of definition, meta and ours as read ('' = was absent), 4 event type, 5 event data,
--       6 wake channel, 7 schedule name, 8 stream cap, 9 an untold range of skipped slots (the data of its event), or ''
-- Returns 1, or 0 where somebody else was first.
for i, field in ipairs({'definition', 'meta', 'livebeat'}) do
  local value = redis.call('HGET', KEYS[1], field)
  if (value and redis.sha1hex(value) or '') ~= ARGV[i] then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
redis.call('HDEL', KEYS[4], ARGV[7])
redis.call('HDEL', KEYS[5], ARGV[7])
if ARGV[9] ~= '' then redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'type', 'slot.skipped', 'data', ARGV[9]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'type', ARGV[4], 'data', ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[7])
return 1
