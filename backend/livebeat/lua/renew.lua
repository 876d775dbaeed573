-- Prolong the leases of one owner.
-- KEYS: 1 ledger; ARGV: 1 owner, 2 lease in seconds, 3 prefix of ledger entries, 4… run ids
-- Returns the ids whose lease is no longer this owner's.
local now = redis.call('TIME')
local lease_end = string.format('%.6f', now[1] + now[2] / 1000000 + ARGV[2])
local lost = {}
for i = 4, #ARGV do
  local key = ARGV[3] .. ARGV[i]
  local state, owner = unpack(redis.call('HMGET', key, 'state', 'owner'))
  if state == 'running' and owner == ARGV[1] then
    redis.call('HSET', key, 'lease_until', lease_end)
    redis.call('ZADD', KEYS[1], lease_end, ARGV[i])
  else
    table.insert(lost, ARGV[i])
  end
end
return lost
