-- Push a run's message again, if its ledger entry still is what the relay read.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 queues that plain workers consume (see plain.lua)
-- ARGV: 1 run id, 2 state, 3 attempt, 4 pushes and 5 lease end as read, 6 seconds to the next check, 7 event data,
--       8 stream cap, 9 databases, 10 queue, 11 the copy, 12 further commands (see push.lua), 13 the queues of KEYS[4] as
--       read, 14 pushes since its last claim, with this one, 15 '1' where it goes to the front of its list
-- Returns 1, or 0 where the entry, or who consumes, has changed.
-- include push.lua
-- include plain.lua
local entry = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'pushes', 'lease_until', 'cancelled_by')
local fresh = {false, '0', '1', '0'} -- what an entry says by not saying it
for i = 1, 4 do if (entry[i] or fresh[i]) ~= ARGV[1 + i] then return 0 end end
if entry[5] then return 0 end -- cancelled since then
if plain_queues(KEYS[4]) ~= ARGV[13] then return 0 end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
-- A worker may have claimed it between the relay's look at the ledger and its look at the entry.
if tonumber(ARGV[5]) > seconds then return 0 end
if not pushable(ARGV[9], ARGV[10]) then return redis.error_reply('WRONGTYPE ' .. ARGV[10] .. ' is not a queue') end
redis.call('HSETNX', KEYS[1], 'accepted_at', redis.call('HGET', KEYS[1], 'pushed_at'))
redis.call('HSET', KEYS[1], 'state', 'queued', 'pushes', ARGV[14], 'owner', '', 'lease_until', 0,
  'pushed_at', string.format('%.6f', seconds), 'text', ARGV[11])
redis.call('HDEL', KEYS[1], 'cut_short')
if ARGV[2] == 'running' then redis.call('HINCRBY', KEYS[1], 'losses', 1) end
redis.call('ZADD', KEYS[2], seconds + ARGV[6], ARGV[1])
push(ARGV[9], ARGV[10], {ARGV[11]}, ARGV[12] ~= '' and {ARGV[12]} or {}, ARGV[15] == '1')
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], '*', 'type', 'run.requeued', 'data', ARGV[7])
return 1
