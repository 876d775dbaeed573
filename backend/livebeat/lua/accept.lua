-- Accept one message: ledger entry, push and event together.
-- KEYS: 1 ledger entry of the run, 2 ledger, 3 event stream, 4 unique keys
-- ARGV: 1 run id, 2 unique key or '', 3 prefix of ledger entries, 4 seconds to the first check, 5 commands (JSON),
--       6 event data, 7 stream cap, 8… field, value of the ledger entry
-- Returns the id of the run that is under way: ARGV[1] where it was accepted (again).
if ARGV[2] ~= '' then
  local holder = redis.call('HGET', KEYS[4], ARGV[2])
  if holder and holder ~= ARGV[1] and redis.call('EXISTS', ARGV[3] .. holder) == 1 then return holder end
end
if redis.call('EXISTS', KEYS[1]) == 1 then return ARGV[1] end
local now = redis.call('TIME')
local seconds = now[1] + now[2] / 1000000
redis.call('HSET', KEYS[1], 'state', 'queued', 'attempt', 0, 'pushes', 1, 'lease_until', 0, 'commands', ARGV[5],
  'accepted_at', string.format('%.6f', seconds), unpack(ARGV, 8))
if ARGV[2] ~= '' then redis.call('HSET', KEYS[4], ARGV[2], ARGV[1]) end
redis.call('ZADD', KEYS[2], seconds + ARGV[4], ARGV[1])
for _, command in ipairs(cjson.decode(ARGV[5])) do redis.call(unpack(command)) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'type', 'run.queued', 'data', ARGV[6])
return ARGV[1]
