-- Put a run that was given up into the ledger again and push it; its attempts go on counting, its losses begin anew.
-- KEYS: 1 what was given up, 2 ledger entry of the run, 3 ledger, 4 event stream, 5 index of running ids, 6 unique keys
-- ARGV: 1 run id, 2 what was given up as read, 3 seconds to the first check, 4 event data, 5 stream cap, 6 databases,
--       7 queue, 8 message with a fresh delivery tag and 9 further commands (see push.lua), 10 its schedule or '', 11 attempt,
--       12 its unique key or '', 13 '1' where no other run of its schedule may be unfinished, 14 prefix of ledger entries
-- Returns ARGV[1], '' where somebody else was first, or the id of the run beside which it may not run.
-- include overlap.lua
local run, schedule, unique = ARGV[1], ARGV[10], ARGV[12]
local at = {run = ARGV[14], running = KEYS[5]}
if redis.call('HGET', KEYS[1], run) ~= ARGV[2] or redis.call('EXISTS', KEYS[2]) == 1 then return '' end
if not pushable(ARGV[6], ARGV[7]) then return redis.error_reply('WRONGTYPE ' .. ARGV[7] .. ' is not a queue') end
if unique ~= '' then
  local holder = redis.call('HGET', KEYS[6], unique)
  if holder and redis.call('EXISTS', at.run .. holder) == 1 then return holder end
end
local other = ARGV[13] == '1' and unfinished(at, schedule, 1)[1]
if other then return other[1] end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
redis.call('HSET', KEYS[2], 'state', 'queued', 'pushed_at', string.format('%.6f', seconds), 'queue', ARGV[7],
  'text', ARGV[8], 'attempt', ARGV[11])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[2], 'more', ARGV[9]) end
if unique ~= '' then
  redis.call('HSET', KEYS[2], 'unique', unique)
  redis.call('HSET', KEYS[6], unique, run)
end
redis.call('ZADD', KEYS[3], seconds + ARGV[3], run)
if schedule ~= '' then redis.call('ZADD', KEYS[5], 0, schedule .. '\n' .. run) end
redis.call('HDEL', KEYS[1], run)
push(ARGV[6], ARGV[7], {ARGV[8]}, ARGV[9] ~= '' and {ARGV[9]} or {})
redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'type', 'run.requeued', 'data', ARGV[4])
return run
