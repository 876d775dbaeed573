-- Write which queues workers without livebeat.install consume, as the leader saw it; what changes is told.
-- KEYS: 1 leader lock, 2 queues with such workers, 3 when they were last seen there, 4 heartbeats of installed workers, 5 event
--       stream
-- ARGV: 1 own token, 2 seconds that a heartbeat is kept, 3 seconds that it is remembered when they were seen, 4 stream cap,
--       then for each queue: its name, the workers (JSON list)
-- Returns {'ok', for each queue that changed its name and its workers ('[]' where they are gone)}, or {'standby'} where
-- somebody else leads.
-- include silent.lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'standby'} end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local stamp = string.format('%.6f', now)
local reply, seen = {'ok'}, {}
local function changed(queue, workers)
  reply[#reply + 1] = queue
  reply[#reply + 1] = workers
  local data = string.format('{"queue": %s, "workers": %s}', cjson.encode(queue), workers)
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[4], '*', 'type', 'queue.consumers', 'data', data)
end

for i = 5, #ARGV, 2 do
  local queue, workers = ARGV[i], ARGV[i + 1]
  seen[queue] = true
  redis.call('HSET', KEYS[3], queue, stamp)
  if redis.call('HGET', KEYS[2], queue) ~= workers then
    redis.call('HSET', KEYS[2], queue, workers)
    changed(queue, workers)
  end
end
for _, queue in ipairs(redis.call('HKEYS', KEYS[2])) do
  if not seen[queue] then
    redis.call('HDEL', KEYS[2], queue)
    redis.call('HSET', KEYS[3], queue, stamp)
    changed(queue, '[]')
  end
end
local found = redis.call('HGETALL', KEYS[3])
for i = 1, #found, 2 do
  if not seen[found[i]] and (tonumber(found[i + 1]) or 0) < now - ARGV[3] then redis.call('HDEL', KEYS[3], found[i]) end
end
drop_silent(KEYS[4], now, ARGV[2])
return reply
