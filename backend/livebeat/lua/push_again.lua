-- Push a run's message again, if its ledger entry still is what the relay read.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream
-- ARGV: 1 run id, 2 state, 3 attempt, 4 pushes and 5 lease end as read, 6 commands (JSON, fresh delivery tag),
--       7 seconds to the next check, 8 event data, 9 stream cap
-- Returns 1, or 0 where the entry has moved on.
local entry = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'pushes', 'lease_until')
for i = 1, 4 do if entry[i] ~= ARGV[1 + i] then return 0 end end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
redis.call('HSET', KEYS[1], 'state', 'queued', 'pushes', ARGV[4] + 1, 'owner', '', 'lease_until', 0, 'commands', ARGV[6])
redis.call('ZADD', KEYS[2], seconds + ARGV[7], ARGV[1])
for _, command in ipairs(cjson.decode(ARGV[6])) do redis.call(unpack(command)) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[9], '*', 'type', 'run.requeued', 'data', ARGV[8])
return 1
