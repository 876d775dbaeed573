-- Move one backfill on, if its record still is what was read: begin it, send the run of its next slot, or end it.
-- KEYS: 1 backfills, 2 counter of the backfill's runs (see children.lua), 3 ledger, 4 event stream, 5 index of running ids,
--       6 queues that plain workers consume (see plain.lua), 7 ledger entry of the run (any key where there is none)
-- ARGV: 1 id, 2 SHA-1 of the record as read ('' = there was none), 3 the new one, 4 'begin', 'send' or 'end', 5 event type
--       ('' = no event) and 6 its data, 7 stream cap; to send also 8 run id, 9 queue, 10 message and 11 further commands (see
--       push.lua), 12 the data of its event, 13 expiry (seconds) or '', 14 schedule, 15 '1' where none of the schedule's runs
--       may be unfinished, 16 the queues of KEYS[6] that it was built for, 17 databases, 18 seconds to its first check,
--       19 prefix of ledger entries
-- Returns 1, 0 where the record is another, -1 while a run of the schedule is unfinished, -2 where others than ARGV[16] have
-- plain workers; nothing was done then.
-- include overlap.lua
-- include plain.lua
local record = redis.call('HGET', KEYS[1], ARGV[1])
if (record and redis.sha1hex(record) or '') ~= ARGV[2] then return 0 end
if ARGV[4] == 'begin' then
  redis.call('HSET', KEYS[2], 'open', 1, 'own', 1) -- it is open itself, so that the counter stays until its end
elseif ARGV[4] == 'end' then
  redis.call('DEL', KEYS[2])
else
  local run, queue, schedule = ARGV[8], ARGV[9], ARGV[14]
  if ARGV[15] == '1' and #unfinished({running = KEYS[5], run = ARGV[19]}, schedule, 1) > 0 then return -1 end
  if plain_queues(KEYS[6]) ~= ARGV[16] then return -2 end
  if not pushable(ARGV[17], queue) then return redis.error_reply('WRONGTYPE ' .. queue .. ' is not a queue') end
  local now = redis.call('TIME')
  local seconds = now[1] + now[2] / 1000000
  redis.call('HSET', KEYS[7], 'state', 'queued', 'pushed_at', string.format('%.6f', seconds), 'queue', queue,
    'text', ARGV[10], 'parent', ARGV[1])
  for field, value in pairs({more = ARGV[11], expires_at = ARGV[13]}) do
    if value ~= '' then redis.call('HSET', KEYS[7], field, value) end
  end
  redis.call('ZADD', KEYS[3], seconds + ARGV[18], run)
  redis.call('ZADD', KEYS[5], 0, schedule .. '\n' .. run)
  redis.call('HINCRBY', KEYS[2], 'open', 1)
  redis.call('HINCRBY', KEYS[2], 'sent', 1)
  push(ARGV[17], queue, {ARGV[10]}, ARGV[11] ~= '' and {ARGV[11]} or {})
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'type', 'run.queued', 'data', ARGV[12])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[5] ~= '' then redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[7], '*', 'type', ARGV[5], 'data', ARGV[6]) end
return 1
