-- End a run for good: the terminal event, and every trace in the ledger gone, in one step. Who waited for it may start.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 unique keys, 5 index of running ids, 6 what was given up,
--       7 failures in a row, 8 schedules that are to be paused
-- ARGV: 1 run id, 2 field that must still hold ARGV[3] ('owner' for a worker, 'guard' for the relay), 3 its value,
--       4 attempt, 5 event type, 6 event data, 7 stream cap, 8 its schedule or '', 9 prefix of ledger entries, 10 prefix of
--       the counters of children, 11 databases (see push.lua), 12 seconds to a message's first check
-- Returns 1, or 0 where the run is no longer the caller's to end.
-- include overlap.lua
local entry = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'pushes', 'lease_until', 'pause_after', 'unique',
  'parent', 'after', 'counted', 'before')
if not entry[1] or tonumber(entry[2] or 0) ~= tonumber(ARGV[4]) then return 0 end
local guard = entry[1] .. ':' .. (entry[4] or 1)
if (ARGV[2] == 'owner' and entry[3] or guard) ~= ARGV[3] then return 0 end
if ARGV[2] == 'guard' then
  local now = redis.call('TIME')
  if tonumber(entry[5] or 0) > now[1] + now[2] / 1000000 then return 0 end -- somebody has it now
end
local run, kind, schedule = ARGV[1], ARGV[5], ARGV[8]
if kind == 'run.lost' then
  local queue, text, more = unpack(redis.call('HMGET', KEYS[1], 'queue', 'text', 'more'))
  redis.call('HSET', KEYS[6], run, cjson.encode({
    kind = 'run', at = tonumber(redis.call('TIME')[1]), reason = cjson.decode(ARGV[6]).error, queue = queue, text = text, more = more or nil,
    attempt = tonumber(entry[2] or 0), unique = entry[7] or nil
  }))
end
if entry[6] then
  if kind == 'run.succeeded' then
    redis.call('HDEL', KEYS[7], schedule)
  elseif kind == 'run.failed' or kind == 'run.lost' then
    local failures = redis.call('HINCRBY', KEYS[7], schedule, 1)
    if failures >= tonumber(entry[6]) then redis.call('SADD', KEYS[8], schedule) end
  end
end
local at = {
  children = ARGV[10], run = ARGV[9], ledger = KEYS[2], events = KEYS[3], cap = ARGV[7], db = ARGV[11], first_check = ARGV[12],
  running = KEYS[5], unique = KEYS[4]
}
end_run(at, run, schedule, kind, ARGV[6], {unpack(entry, 7, 11)})
return 1
