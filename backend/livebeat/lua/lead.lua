-- Take or keep the leader lock, or give it up where somebody asked for that.
-- KEYS: 1 lock, 2 request to hand over, 3 where a key is put that lies in the lock's place and is no lock
-- ARGV: 1 own token, 2 milliseconds
-- Returns {holder, seconds, microseconds}: who holds it afterwards (ARGV[1], another Livebeat's token, a foreign one, or
-- '' where we just gave it up), and Redis' time.
local time = redis.call('TIME')
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'string' and kind ~= 'none' then redis.call('RENAME', KEYS[1], KEYS[3]) end
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] and redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[1], KEYS[2])
  return {'', time[1], time[2]}
end
if not holder or holder == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return {ARGV[1], time[1], time[2]}
end
return {holder, time[1], time[2]}
