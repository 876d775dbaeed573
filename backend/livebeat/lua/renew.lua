-- Prolong leases, each for the execution that holds it.
-- KEYS: 1 ledger; ARGV: 1 lease in seconds, 2 prefix of ledger entries, then for each: run id, owner
-- Returns {the ids whose lease is no longer this owner's, the ids that are cancelled: their execution has to stop}.
local now = redis.call('TIME')
local lease_end = string.format('%.6f', now[1] + now[2] / 1000000 + ARGV[1])
local lost, cancelled = {}, {}
for i = 3, #ARGV, 2 do
  local key = ARGV[2] .. ARGV[i]
  local state, owner, cancelled_by = unpack(redis.call('HMGET', key, 'state', 'owner', 'cancelled_by'))
  if state == 'running' and owner == ARGV[i + 1] then
    redis.call('HSET', key, 'lease_until', lease_end)
    redis.call('ZADD', KEYS[1], lease_end, ARGV[i])
    if cancelled_by then table.insert(cancelled, ARGV[i]) end
  else
    table.insert(lost, ARGV[i])
  end
end
return {lost, cancelled}
