-- Accept one message: ledger entry (where there is to be one), push and event together.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 unique keys, 5 index of running ids
-- ARGV: 1 run id, 2 unique key or '', 3 prefix of ledger entries, 4 seconds to the first check ('' = no ledger entry), 5 stream
--       cap, 6 databases, 7 queue, 8 message and 9 further commands (see push.lua), 10 the event's data,
--       11 schedule, 12 expiry (seconds) and 13 parent, or ''
-- Returns the id of the run that is under way: ARGV[1] where it was accepted (again).
-- include push.lua
if ARGV[2] ~= '' then
  local holder = redis.call('HGET', KEYS[4], ARGV[2])
  if holder and holder ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. holder) == 1 then return holder end
end
if redis.call('EXISTS', KEYS[1]) == 1 then return ARGV[1] end
if not pushable(ARGV[6], ARGV[7]) then return redis.error_reply('WRONGTYPE ' .. ARGV[7] .. ' is not a queue') end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'state', 'queued', 'pushed_at', string.format('%.6f', seconds), 'queue', ARGV[7],
    'text', ARGV[8])
  for field, value in pairs({more = ARGV[9], unique = ARGV[2], expires_at = ARGV[12], parent = ARGV[13]}) do
    if value ~= '' then redis.call('HSET', KEYS[1], field, value) end
  end
  if ARGV[2] ~= '' then redis.call('HSET', KEYS[4], ARGV[2], ARGV[1]) end
  if ARGV[11] ~= '' then redis.call('ZADD', KEYS[5], 0, ARGV[11] .. '\n' .. ARGV[1]) end
  redis.call('ZADD', KEYS[2], seconds + ARGV[4], ARGV[1])
end
push(ARGV[6], ARGV[7], {ARGV[8]}, ARGV[9] ~= '' and {ARGV[9]} or {})
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'type', 'run.queued', 'data', ARGV[10])
return ARGV[1]
