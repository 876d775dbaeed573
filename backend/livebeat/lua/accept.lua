-- Accept one message: ledger entry (where there is to be one), push and event together.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 unique keys, 5 index of running ids, 6 queues that plain
--       workers consume (see plain.lua)
-- ARGV: 1 run id, 2 unique key or '', 3 prefix of ledger entries, 4 seconds to the first check ('' = no ledger entry), 5 stream
--       cap, 6 databases, 7 queue, 8 message and 9 further commands (see push.lua), 10 the event's data,
--       11 schedule, 12 expiry (seconds) and 13 parent, or '', 14 prefix of the counters of children, 15 run to wait for or '',
--       16 the queues of KEYS[6] that the message was built for, 17 the overlap rule of its schedule and 18 failures in a row
--       that pause it, or ''
-- Returns the id of the run that is under way, of the child that this parent sent under the same unique key, or of the run
-- of the schedule because of which this one may not run:
-- ARGV[1] where it was accepted (again). '' where other queues than ARGV[16] have plain workers: nothing was done.
-- include overlap.lua
-- include plain.lua
local run, unique, schedule, parent, after = ARGV[1], ARGV[2], ARGV[11], ARGV[13], ARGV[15]
local ledgered = ARGV[4] ~= ''
local at = {
  children = ARGV[14], run = ARGV[3], ledger = KEYS[2], events = KEYS[3], cap = ARGV[5], db = ARGV[6], first_check = ARGV[4],
  running = KEYS[5], unique = KEYS[4]
}
if unique ~= '' then
  local child = parent ~= '' and redis.call('HGET', at.children .. parent, 'unique:' .. unique)
  if child and child ~= run then return child end
  local holder = redis.call('HGET', KEYS[4], unique)
  if holder and holder ~= run and redis.call('EXISTS', at.run .. holder) == 1 then return holder end
end
if redis.call('EXISTS', KEYS[1]) == 1 then return run end
if plain_queues(KEYS[6]) ~= ARGV[16] then return '' end
if not pushable(at.db, ARGV[7]) then return redis.error_reply('WRONGTYPE ' .. ARGV[7] .. ' is not a queue') end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
local waits = false
if ledgered then
  if ARGV[17] ~= '' then
    local verdict = beside(at, schedule, ARGV[17], run)
    if verdict ~= 'go' and verdict ~= 'wait' then return verdict end
    waits = verdict == 'wait'
  end
  redis.call('HSET', KEYS[1], 'state', 'queued', 'pushed_at', string.format('%.6f', seconds), 'queue', ARGV[7],
    'text', ARGV[8])
  for field, value in pairs({
    more = ARGV[9], unique = unique, expires_at = ARGV[12], parent = parent, after = after, pause_after = ARGV[18]
  }) do
    if value ~= '' then redis.call('HSET', KEYS[1], field, value) end
  end
  if unique ~= '' then redis.call('HSET', KEYS[4], unique, run) end
  if schedule ~= '' then redis.call('ZADD', KEYS[5], 0, schedule .. '\n' .. run) end
  if parent ~= '' then
    counted(at, parent)
    redis.call('HINCRBY', at.children .. parent, 'open', 1)
    redis.call('HINCRBY', at.children .. parent, 'sent', 1)
    if unique ~= '' then redis.call('HSET', at.children .. parent, 'unique:' .. unique, run) end
  end
  if after ~= '' and counted(at, after) and tonumber(redis.call('HGET', at.children .. after, 'open')) > 0 then
    redis.call('HSET', KEYS[1], 'state', 'waiting', 'facts', ARGV[10])
    local waiting = cjson.decode(redis.call('HGET', at.children .. after, 'waiting') or '[]')
    waiting[#waiting + 1] = run
    redis.call('HSET', at.children .. after, 'waiting', cjson.encode(waiting))
    return run
  end
  redis.call('ZADD', KEYS[2], seconds + ARGV[4], run)
  if waits then
    redis.call('HSET', KEYS[1], 'state', 'waiting', 'facts', ARGV[10])
    return run
  end
end
push(at.db, ARGV[7], {ARGV[8]}, ARGV[9] ~= '' and {ARGV[9]} or {})
redis.call('XADD', KEYS[3], 'MAXLEN', '~', at.cap, '*', 'type', 'run.queued', 'data', ARGV[10])
return run
