-- End a run for good: the terminal event, and every trace in the ledger gone, in one step. Who waited for it may start.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 unique keys, 5 index of running ids, 6 what was given up
-- ARGV: 1 run id, 2 field that must still hold ARGV[3] ('owner' for a worker, 'guard' for the relay), 3 its value,
--       4 attempt, 5 event type, 6 event data, 7 stream cap, 8 its schedule or '', 9 prefix of ledger entries, 10 prefix of
--       the counters of children, 11 databases (see push.lua), 12 seconds to a message's first check
-- Returns 1, or 0 where the run is no longer the caller's to end.
-- include children.lua
local entry = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'unique', 'pushes', 'lease_until', 'parent', 'after',
  'counted')
if not entry[1] or tonumber(entry[2] or 0) ~= tonumber(ARGV[4]) then return 0 end
local guard = entry[1] .. ':' .. (entry[5] or 1)
if (ARGV[2] == 'owner' and entry[3] or guard) ~= ARGV[3] then return 0 end
if ARGV[2] == 'guard' then
  local now = redis.call('TIME')
  if tonumber(entry[6] or 0) > now[1] + now[2] / 1000000 then return 0 end -- somebody has it now
end
local run = ARGV[1]
if ARGV[5] == 'run.lost' then
  local queue, text, more = unpack(redis.call('HMGET', KEYS[1], 'queue', 'text', 'more'))
  redis.call('HSET', KEYS[6], run, cjson.encode({
    kind = 'run', at = tonumber(redis.call('TIME')[1]), reason = cjson.decode(ARGV[6]).error, queue = queue, text = text, more = more or nil,
    attempt = tonumber(entry[2] or 0)
  }))
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], run)
if entry[4] and redis.call('HGET', KEYS[4], entry[4]) == run then redis.call('HDEL', KEYS[4], entry[4]) end
if ARGV[8] ~= '' then redis.call('ZREM', KEYS[5], ARGV[8] .. '\n' .. run) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'type', ARGV[5], 'data', ARGV[6])
if entry[7] or entry[8] or entry[9] then
  local at = {
    children = ARGV[10], run = ARGV[9], ledger = KEYS[2], events = KEYS[3], cap = ARGV[7], db = ARGV[11], first_check = ARGV[12]
  }
  if entry[7] then count_down(at, entry[7], string.sub(ARGV[5], #'run.' + 1)) end
  if entry[8] then forget(at, entry[8], run) end
  if entry[9] then count_down(at, run) end
end
return 1
