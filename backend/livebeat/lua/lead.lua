-- Take or keep the leader lock.
-- KEYS: 1 lock; ARGV: 1 own token, 2 milliseconds
-- Returns the holder afterwards: ARGV[1], another Livebeat's token, or a foreign one.
local holder = redis.call('GET', KEYS[1])
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
return holder
